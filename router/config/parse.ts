import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { expand } from './expand.ts';
import type { Fault } from './fault.ts';
import { locator, pathText, type Locate } from './locate.ts';
import { crossCheck } from './rules.ts';
import { schema, type Config } from './schema.ts';

/** A config that may be served, or every fault that was found in it. Warnings don't stop it. */
export type Parsed =
  | { readonly config: Config; readonly faults: readonly []; readonly warnings: readonly Fault[] }
  | { readonly config: null; readonly faults: readonly Fault[]; readonly warnings: readonly Fault[] };

/** Reads the text of strangler.yaml. Pure: the environment is handed in. All faults are found at once, each with its line. */
export function parseConfig(text: string, env: Readonly<Record<string, string | undefined>>): Parsed {
  const expanded = expand(text, env);
  if (expanded.faults.length > 0) return failed(expanded.faults);
  const lines = new LineCounter();
  const document = parseDocument(expanded.text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    return failed(
      document.errors.map((error) => ({
        line: lines.linePos(error.pos[0]).line,
        path: '',
        message: error.message,
      })),
    );
  }
  if (document.contents === null) return failed([{ line: null, path: '', message: 'the file is empty' }]);
  const locate = locator(document, lines);
  const result = schema.safeParse(document.toJS());
  if (!result.success) return failed(result.error.issues.flatMap((issue) => schemaFaults(issue, locate)));
  const { faults, warnings } = crossCheck(result.data, locate, env);
  return faults.length > 0 ? failed(faults, warnings) : { config: result.data, faults: [], warnings };
}

function failed(faults: readonly Fault[], warnings: readonly Fault[] = []): Parsed {
  return { config: null, faults: faults.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)), warnings };
}

/** An unknown key is reported at its own line rather than at its parent's; a missing one at the nearest thing that exists. */
function schemaFaults(issue: z.core.$ZodIssue, locate: Locate): Fault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return {
        line: locate(path),
        path: pathText(path),
        message: 'is not a known key; check its spelling and its place',
      };
    });
  }
  return [{ line: locate(issue.path), path: pathText(issue.path), message: issue.message }];
}
