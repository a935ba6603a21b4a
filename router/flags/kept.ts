import { join } from 'node:path';
import { z } from 'zod';
import { readText, replaceFile } from './file.ts';

/** The last flags that were good and served here, for a start while etcd is away. */
export interface Kept {
  readonly text: string;
  /** Of the key in etcd. */
  readonly revision: number;
  /** ISO 8601, UTC: since when they served. */
  readonly at: string;
}

const file = z.object({ prefix: z.string(), text: z.string(), revision: z.number(), at: z.string() });

/** `flags-kept.json` in the state folder. What it says of another prefix is of no use here. */
export function keptFlags(
  stateDir: string,
  prefix: string,
): { read(): Kept | null; write(kept: Kept): void } {
  const path = join(stateDir, 'flags-kept.json');
  return {
    read() {
      const found = readText(path);
      if ('missing' in found) return null;
      try {
        const kept = file.parse(JSON.parse(found.text));
        return kept.prefix === prefix ? kept : null;
      } catch {
        // It is written whole or not at all; one that somebody broke by hand is as good as none.
        return null;
      }
    },
    write: (kept) => replaceFile(path, JSON.stringify({ prefix, ...kept }), 0o600),
  };
}
