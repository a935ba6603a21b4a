import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCurrent, type Current } from '../flags/current.ts';
import { openJournal } from '../journal/journal.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { createAdmin, type AdminParts } from './api.ts';
import { standing } from './standing.ts';

/** An admin port on real files and a real socket, for the tests of this folder. */
export interface AdminBed {
  readonly url: string;
  readonly token: string;
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

export async function startAdmin(overrides: Partial<AdminParts> = {}): Promise<AdminBed> {
  const dir = mkdtempSync(join(tmpdir(), 'admin-'));
  writeFileSync(join(dir, 'strangler.yaml'), YAML);
  writeFileSync(join(dir, 'flags.json'), JSON.stringify({ flags: { images: flag, odd: flag } }));
  const current = loadCurrent(join(dir, 'strangler.yaml'), dir, {});
  const journal = openJournal(join(dir, 'journal.jsonl'));
  const clock = { now: Date.parse('2026-01-01T00:00:00Z') };
  const now = (): number => clock.now;
  const dataPath = { connections: () => 0, instances: () => [] };
  const token = 'a-token-of-the-test';
  const server = createServer(
    createAdmin({
      current,
      journal,
      retireRefusal: () => null,
      now,
      token,
      overrideKey: null,
      metrics: createMetrics(current),
      isDraining: () => false,
      dataPath,
      live: () => standing({ current, journal, dataPath, now }),
      log: { error: () => undefined },
      ...overrides,
    }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    current,
    clock,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      journal.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
