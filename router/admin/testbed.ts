import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCurrent, type Current } from '../flags/current.ts';
import { openJournal } from '../journal/journal.ts';
import { changeFlag, type ChangeParts } from '../flags/change.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { createWindows } from '../metrics/windows.ts';
import { createMoves } from '../moves/moves.ts';
import { createLeader } from '../ramp/leader.ts';
import { createRamp } from '../ramp/loop.ts';
import { rampStore } from '../ramp/store.ts';
import { createShadow } from '../shadow/shadow.ts';
import { createAdmin, type AdminParts } from './api.ts';
import { createLive } from './live.ts';

/** An admin port on real files and a real socket, for the tests of this folder. */
export interface AdminBed {
  readonly url: string;
  readonly token: string;
  readonly appToken: string;
  readonly current: Current;
  /** The clock, in milliseconds; tests move it. */
  readonly clock: { now: number };
  close(): Promise<void>;
}

export const ODD_NAME = '<img src=x onerror=1>';

const YAML = `flags: { file: flags.json }
upstreams: { monolith: { url: "http://127.0.0.1:1" }, image-api: { url: "http://127.0.0.1:2" } }
default: monolith
features:
  images: { upstream: image-api, flag: images, key: [{ header: x }], routes: [{ match: "GET /images/{id}", effect: read }] }
  "${ODD_NAME}": { upstream: image-api, flag: odd, key: [{ header: x }], routes: [{ match: "GET /odd", effect: read }] }
`;
const flag = {
  state: 'ENABLED',
  variants: { monolith: 'monolith', 'image-api': 'image-api' },
  defaultVariant: 'monolith',
  targeting: {
    fractional: [
      ['image-api', 10],
      ['monolith', 90],
    ],
  },
  metadata: { stage: 'canary' },
};

const FILES = { yaml: YAML, flags: JSON.stringify({ flags: { images: flag, odd: flag } }) };

export async function startAdmin(overrides: Partial<AdminParts> = {}, files = FILES): Promise<AdminBed> {
  const dir = mkdtempSync(join(tmpdir(), 'admin-'));
  writeFileSync(join(dir, 'strangler.yaml'), files.yaml);
  writeFileSync(join(dir, 'flags.json'), files.flags);
  const current = loadCurrent(join(dir, 'strangler.yaml'), dir, {});
  const journal = openJournal(join(dir, 'journal.jsonl'));
  const clock = { now: Date.parse('2026-01-01T00:00:00Z') };
  const now = (): number => clock.now;
  const dataPath = {
    connections: () => 0,
    instances: () => [],
    workers: () => null,
    reached: async () => undefined,
  };
  const token = 'a-token-of-the-test';
  const appToken = 'the-token-of-applications';
  const log = { error: () => undefined, warn: () => undefined, info: () => undefined };
  const windows = createWindows({ now });
  const shadow = createShadow({ folder: join(dir, 'parity'), urls: () => [], log });
  const changing: ChangeParts = {
    current,
    journal,
    retireRefusal: () => null,
    askGates: (before, feature) => ramp.askBefore(before, feature),
    isMovedAway: ({ config }) => moves.areOver(current.snapshot().config.default, config.upstream),
    now,
  };
  const ramp = createRamp({
    snapshot: current.snapshot,
    journal,
    windows,
    change: (request) => changeFlag(changing, request),
    store: rampStore(dir, now()),
    leader: createLeader(join(dir, 'ramp.lock'), now),
    now,
    log,
  });
  const moves = createMoves({ journal, now });
  const server = createServer(
    createAdmin({
      ...changing,
      windows,
      ramp,
      shadow,
      token,
      appToken,
      defaultAnswered: () => undefined,
      random: () => 0,
      overrideKey: null,
      metrics: createMetrics(current),
      isDraining: () => false,
      dataPath,
      live: createLive({ current, journal, windows, ramp, moves, instances: dataPath.instances, now }),
      moves,
      log,
      ...overrides,
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    appToken,
    current,
    clock,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      shadow.close();
      journal.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
