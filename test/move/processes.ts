import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Postgres } from '../../tools/postgres.ts';
import { startRouter } from '../support/router.ts';

/** What runners hand over besides: `random` buckets to any side, or all of the owners' to one. */
export type Aim = 'random' | 'to' | 'from';

export interface Runners {
  aim(aim: Aim): void;
  /** How many were killed, once the signal is given. */
  readonly killed: Promise<number>;
}

/** Milliseconds a runner lives at most, once it is ready; where starting takes long, all does. */
const LIFE = 4000;

/** Keeps processes that drive the move: kills each after a while, and starts the next. */
export function keepRunners(
  count: number,
  args: readonly string[],
  random: () => number,
  signal: AbortSignal,
  log: (line: string) => void,
): Runners {
  let kills = 0;
  let aim: Aim = 'random';
  const alive = new Set<ChildProcess>();
  const keep = async (): Promise<void> => {
    while (!signal.aborted) {
      const started = performance.now();
      const child = forked('runner.ts', args);
      const exit = once(child, 'exit');
      child.on('message', (line) => log(String(line)));
      child.send(aim);
      alive.add(child);
      await Promise.race([once(child, 'message'), exit]);
      const span = Math.max(LIFE, 4 * (performance.now() - started));
      await wait(100 + random() * span, undefined, { signal }).catch(() => undefined);
      child.kill('SIGKILL');
      kills += 1;
      alive.delete(child);
      await exit;
    }
  };
  return {
    aim(next) {
      aim = next;
      // One that ended by itself just now hears nothing, and the next one is told.
      for (const child of alive) if (child.connected) child.send(next, () => undefined);
    },
    killed: Promise.all(Array.from({ length: count }, keep)).then(() => kills),
  };
}

export interface Applications {
  readonly urls: readonly [string, string];
  /** What they were about to delete, by operation. */
  readonly foretold: Map<string, readonly string[]>;
  close(): Promise<void>;
}

/** One application a side, each a process of its own. */
export async function startApplications(databases: readonly [string, string]): Promise<Applications> {
  const foretold = new Map<string, readonly string[]>();
  const children: ChildProcess[] = [];
  const open = async (database: string): Promise<string> => {
    const child = forked('application.ts', [database]);
    children.push(child);
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    child.on('message', ({ op, gone }: { op: string; gone: string[] }) => void foretold.set(op, gone));
    return `http://127.0.0.1:${port}`;
  };
  return {
    urls: [await open(databases[0]), await open(databases[1])],
    foretold,
    async close() {
      for (const child of children) {
        const exit = once(child, 'exit');
        child.kill('SIGKILL');
        await exit;
      }
    },
  };
}

const yaml = ([monolith, service]: readonly [string, string]): string => `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "${monolith}" }, image-api: { url: "${service}" } }
default: monolith
features:
  things:
    upstream: image-api
    flag: things
    data: moving
    key: [{ header: x-user-id }]
    routes:
      - { match: "POST /owners/{owner}/things/{id}", effect: write, entity: owner }
      - { match: "PATCH /things/{id}", effect: write }
      - { match: "PUT /things/{id}", effect: write }
      - { match: "DELETE /things/{id}", effect: write }
`;

const FLAGS = JSON.stringify({
  flags: {
    things: {
      state: 'ENABLED',
      variants: { monolith: 'monolith', 'image-api': 'image-api' },
      defaultVariant: 'monolith',
      targeting: {
        fractional: [
          ['image-api', 50],
          ['monolith', 50],
        ],
      },
      metadata: { stage: 'canary' },
    },
  },
});

export interface KeptRouter {
  /** Where it listens, or listened last. */
  origin(): string;
  /** How many times it was killed, once the signal is given. */
  readonly killed: Promise<number>;
}

/** Keeps a router in front of the applications: kills it `times` within a time, and starts it again in its folder. Resolves when the first one serves. */
export async function keepRouter(
  upstreams: readonly [string, string],
  times: number,
  milliseconds: number,
  random: () => number,
  signal: AbortSignal,
): Promise<KeptRouter> {
  const dir = mkdtempSync(join(tmpdir(), 'router-'));
  const start = (): ReturnType<typeof startRouter> =>
    startRouter({ yaml: yaml(upstreams), flags: FLAGS, dir });
  let router = await start();
  const keep = async (): Promise<number> => {
    let kills = 0;
    try {
      while (kills < times && !signal.aborted) {
        await wait((milliseconds * (0.5 + random() * 0.5)) / times, undefined, { signal }).catch(
          () => undefined,
        );
        if (signal.aborted) break;
        await router.kill('SIGKILL');
        kills += 1;
        router = await start();
      }
      if (!signal.aborted) await once(signal, 'abort');
    } finally {
      await router.stop();
      rmSync(dir, { recursive: true, force: true });
    }
    return kills;
  };
  return { origin: () => router.url, killed: keep() };
}

/** Kills a server `times` within a time; it is started again by itself. */
export async function crash(
  server: Postgres,
  times: number,
  milliseconds: number,
  random: () => number,
  signal: AbortSignal,
): Promise<number> {
  let kills = 0;
  while (kills < times) {
    await wait((milliseconds * (0.5 + random() * 0.5)) / times, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    try {
      process.kill(server.pid(), 'SIGKILL');
      kills += 1;
    } catch {
      // It has not come back from the last time.
    }
  }
  return kills;
}

const forked = (file: string, args: readonly string[]): ChildProcess =>
  fork(join(import.meta.dirname, file), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
