import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { changeFlag, type Action, type ChangeParts } from '../flags/change.ts';
import { loadCurrent, type Current } from '../flags/current.ts';
import { plainSplit } from '../flags/targeting.ts';
import { etagOf } from '../flags/view.ts';
import { openJournal, type Journal } from '../journal/journal.ts';
import { createWindows, type Windows } from '../metrics/windows.ts';
import { createLeader } from './leader.ts';
import type { Feature } from './judging.ts';
import { createRamp, type Ramp } from './loop.ts';
import { rampStore } from './store.ts';

const YAML = (ramp: string): string => `flags: { file: flags.json }
upstreams: { monolith: { url: http://127.0.0.1:1 }, image-api: { url: http://127.0.0.1:2 } }
default: monolith
features:
  images:
    upstream: image-api
    flag: images
    key: [{ cookie: x }]
    routes: [{ match: "GET /images/{id}", effect: read }]
    gates: [{ metric: errorRate, maxDelta: 0.005, samples: 500 }, { metric: p95, maxRatio: 1.5, samples: 500 }]
    ramp: ${ramp}
`;

export interface House {
  close(): void;
  now(): number;
  readonly dir: string;
  readonly current: Current;
  readonly journal: Journal;
  readonly windows: Windows;
  readonly errors: unknown[];
  ramp: Ramp;
  feature(): Feature;
  act(action: Action, who?: string): Promise<void>;
  /** Lets seconds pass, each with 50 requests on each side and a look at its end. */
  pass(seconds: number, errors?: number, slower?: number): Promise<void>;
  /** A router that starts on the same folder. */
  restart(): Promise<void>;
  steps(): (string | number | null)[][];
}

/** The flag in canary at a share, `ramp` being that of its metadata. */
export function flagsAt(percent: number, ramp?: string): string {
  const flag = {
    state: 'ENABLED',
    variants: { monolith: 'monolith', 'image-api': 'image-api' },
    defaultVariant: 'monolith',
    targeting: plainSplit('image-api', 'monolith', percent),
    metadata: { stage: 'canary', ...(ramp === undefined ? {} : { ramp }) },
  };
  return JSON.stringify({ flags: { images: flag } });
}

/** A router's ramp with its files in a temporary folder and a clock of its own; for tests. */
export async function createHouse(
  percent = 5,
  ramp = '{ steps: [1, 5, 25, 100], hold: 60s }',
): Promise<House> {
  // Late in a second, so that what is noted before a look lies in the same second as the step that the look begins.
  let at = Math.floor(Date.now() / 1000) * 1000 + 700;
  const now = (): number => at;
  const dir = mkdtempSync(join(tmpdir(), 'ramp-'));
  writeFileSync(join(dir, 'strangler.yaml'), YAML(ramp));
  writeFileSync(join(dir, 'flags.json'), flagsAt(percent));
  const current = loadCurrent(join(dir, 'strangler.yaml'), dir, {});
  const journal = openJournal(join(dir, 'journal.jsonl'));
  const errors: unknown[] = [];
  let windows = createWindows({ now });
  const build = async (): Promise<Ramp> => {
    const changing: ChangeParts = {
      current,
      journal,
      retireRefusal: () => null,
      askGates: (before, feature) => built.askBefore(before, feature),
      now,
    };
    house.act = async (action, who = 'ana') =>
      void (await changeFlag(changing, {
        feature: 'images',
        action,
        who,
        why: 'a test',
        ifMatch: etagOf(house.feature()),
      }));
    const built: Ramp = createRamp({
      snapshot: current.snapshot,
      journal,
      windows,
      change: (request) => changeFlag(changing, request),
      store: rampStore(dir, at),
      leader: createLeader(join(dir, 'ramp.lock'), now),
      now,
      log: { info() {}, error: (fields) => void errors.push(fields) },
    });
    await built.tick();
    return built;
  };
  const house: House = {
    close() {
      journal.close();
      rmSync(dir, { recursive: true });
    },
    now,
    dir,
    current,
    journal,
    errors,
    get windows() {
      return windows;
    },
    ramp: null as never,
    act: null as never,
    feature: () => current.snapshot().features.get('images')!,
    async pass(seconds, errors = 0, slower = 0) {
      for (let second = 0; second < seconds; second++) {
        const { percent } = house.feature().flag;
        const note = (upstream: string, ok: boolean, milliseconds: number, count: number): void =>
          windows.sample('images', { upstream, ok, milliseconds, parity: null, count });
        at += 500;
        if (percent !== 0) {
          note('image-api', true, 20 + slower, 50 - errors);
          if (errors > 0) note('image-api', false, 20 + slower, errors);
        }
        if (percent !== 100) note('monolith', true, 20, 50);
        at += 500;
        await house.ramp.tick();
      }
    },
    async restart() {
      windows = createWindows({ now });
      house.ramp = await build();
    },
    steps: () =>
      journal
        .entries()
        .filter(({ who }) => who === 'ramp')
        .map(({ action, before, after }) => [action, before!.percent, after.percent, after.ramp]),
  };
  house.ramp = await build();
  return house;
}
