import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Problem } from '../errors.ts';
import { openJournal, type Journal } from '../journal/journal.ts';
import type { GateResult } from '../ramp/gate.ts';
import { changeFlag, type Action } from './change.ts';
import { loadCurrent, type Current } from './current.ts';
import { plainSplit, type Json } from './targeting.ts';
import { etagOf, viewOf } from './view.ts';

const YAML = (
  writable: boolean,
  ramp: boolean,
  data: string,
): string => `flags: { file: flags.json, writable: ${writable} }
upstreams: { monolith: { url: http://127.0.0.1:1 }, image-api: { url: http://127.0.0.1:2 } }
default: monolith
features:
  images: { upstream: image-api, flag: images, data: ${data}, key: [{ header: x }], routes: [{ match: "GET /images/{id}", effect: read }]${ramp ? ', ramp: { steps: [1, 100] }' : ''} }
`;
/** One feature with its files in a temporary folder, which `close` removes; for tests. */
export interface House {
  close(): void;
  readonly dir: string;
  readonly current: Current;
  readonly journal: Journal;
  act(action: Action, ifMatch?: string | null): Promise<ReturnType<typeof viewOf>>;
  code(action: Action, ifMatch?: string | null): Promise<string>;
}

export function house({
  stage = 'canary',
  targeting = plainSplit('image-api', 'monolith', 0),
  writable = true,
  ramp = null,
  gates = [],
  data = 'shared',
}: {
  stage?: string;
  targeting?: Json;
  writable?: boolean;
  ramp?: string | null;
  gates?: readonly GateResult[];
  data?: string;
} = {}): House {
  const dir = mkdtempSync(join(tmpdir(), 'change-'));
  writeFileSync(join(dir, 'strangler.yaml'), YAML(writable, ramp !== null, data));
  const flag = {
    state: 'ENABLED',
    variants: { monolith: 'monolith', 'image-api': 'image-api' },
    defaultVariant: 'monolith',
    targeting,
    metadata: { stage, ...(ramp === null ? {} : { ramp }) },
  };
  writeFileSync(join(dir, 'flags.json'), JSON.stringify({ flags: { images: flag } }));
  const current = loadCurrent(join(dir, 'strangler.yaml'), dir, {});
  const journal = openJournal(join(dir, 'journal.jsonl'));
  const close = (): void => {
    journal.close();
    rmSync(dir, { recursive: true });
  };
  const parts = { current, journal, retireRefusal: () => 'too early', askGates: () => gates, now: () => 0 };
  const act: House['act'] = async (action, ifMatch = etagOf(current.snapshot().features.get('images')!)) =>
    viewOf(await changeFlag(parts, { feature: 'images', action, ifMatch, who: 'ana', why: 'because' }));
  const code: House['code'] = async (action, ifMatch) => {
    try {
      await act(action, ifMatch);
    } catch (error) {
      return (error as Problem).code;
    }
    return 'done';
  };
  return { close, dir, current, journal, act, code };
}
