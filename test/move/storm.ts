import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { backfillChunk } from '../../migrations/move/backfill.ts';
import { BUCKETS, bucketOf } from '../../migrations/move/bucket.ts';
import { settle, unsettled } from '../../migrations/move/handover.ts';
import { start } from '../../migrations/move/start.ts';
import { openMove, type Move } from '../../migrations/move/side.ts';
import { syncOnce } from '../../migrations/move/sync.ts';
import { verify } from '../../migrations/move/verify.ts';
import { startPostgres, type Postgres } from '../../tools/postgres.ts';
import { TABLE, THINGS } from '../support/move.ts';
import { testPool } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { client, newLedger, type Ledger } from './clients.ts';
import { plantIntoDatabase, type Plant } from './plants.ts';
import { generator } from './random.ts';
import { count, type Outcome } from './verdict.ts';

export interface StormOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly plant?: Plant;
  /** Times both servers are killed. */
  readonly crashes?: number;
  readonly clients?: number;
  readonly log?: (line: string) => void;
}

const KEYS = 24;
const OWNERS = 6;
/** Processes that drive the move; each lives for at most this many milliseconds. */
const RUNNERS = 2;
const LIFE = 1500;

/** Two real servers with shared rows between them. */
export interface Field {
  readonly servers: readonly Postgres[];
  readonly close: () => Promise<void>;
}

export async function openField(): Promise<Field> {
  const dir = mkdtempSync(join(tmpdir(), `strangler-test-${process.pid}-`));
  const servers = await Promise.all(
    ['old', 'young'].map((name) => startPostgres({ dir: join(dir, name), durable: false })),
  );
  return {
    servers,
    async close() {
      await Promise.all(servers.map((server) => server.stop()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

let storms = 0;

/** Clients write the same rows through both sides while buckets change their homes and everything is killed; then counts what became of the writes. */
export async function storm({ servers }: Field, options: StormOptions): Promise<Outcome> {
  const { seconds, seed, plant, crashes = 0, clients = 8, log = () => {} } = options;
  const database = `storm_${++storms}`;
  for (const server of servers) await server.createDatabase(database);
  const urls = servers.map((server) => server.url(database)) as [string, string];
  const pools = urls.map((url) => testPool(url, 2 * clients + 2)) as [pg.Pool, pg.Pool];
  const random = generator(seed);
  for (const pool of pools) await pool.query(TABLE);
  await pools[0].query(
    `INSERT INTO things (id, owner, list) SELECT i, 1 + (i % ${OWNERS}), '{}' FROM generate_series(1, ${KEYS}) i`,
  );
  const move = await openMove(THINGS, { from: urls[0], to: urls[1] });
  const buckets = Array.from({ length: OWNERS }, (_, i) => bucketOf(String(i + 1)));
  try {
    await start(move);
    if (plant) for (const pool of pools) await plantIntoDatabase(pool, plant);
    const stop = new AbortController();
    const runners = keepRunners(
      [...urls, buckets.join(), ...(plant ? [plant] : [])],
      random,
      stop.signal,
      log,
    );
    const ledger = newLedger();
    const watched = watchHomes(pools, buckets, stop.signal, ledger);
    const work = Array.from({ length: clients }, (_, i) =>
      client(
        {
          name: `c${i}`,
          sides: pools,
          random: generator(seed * 1000 + i),
          keys: KEYS,
          owners: OWNERS,
          signal: stop.signal,
        },
        ledger,
      ),
    );
    await makeReady(move);
    const killed = crash(servers, crashes, seconds, random);
    const end = Date.now() + seconds * 1000;
    // A planted mistake need not be found twice.
    while (Date.now() < end && !(plant && ledger.dualHome > 0)) await wait(50);
    stop.abort();
    await Promise.all([...work, killed, watched]);
    const kills = (await runners) + 2 * crashes;
    const notes = await settleAll(move, plant !== undefined);
    const counts = await count(pools, ledger);
    const { rows } = await pools[0].query<{ handovers: number }>(
      'SELECT sum(epoch - 1)::int AS handovers FROM strangler.things_bucket',
    );
    const { handovers } = rows[0]!;
    return {
      ...counts,
      dualHome: ledger.dualHome,
      kills,
      handovers,
      notes: [...notes, ...ledger.strange.keys()],
    };
  } finally {
    await Promise.all([move.close(), ...pools.map((pool) => pool.end())]);
  }
}

/** Backfills and verifies under the clients' load, so that handovers may begin; runners that are killed all the time would take long. */
async function makeReady(move: Move): Promise<void> {
  const { description, from, to } = move;
  for (;;) {
    const { isDone } = await backfillChunk(description, from, 5).catch(() => ({ isDone: false }));
    if (isDone) break;
  }
  await until(
    async () => (await syncOnce(description, from, to, { first: 0, last: BUCKETS - 1 })).rows === 0,
    'the backfill to be sent',
    2000,
  ).catch(() => undefined);
  await verify(move);
}

/** Starts processes that drive the move, kills each after a while, and starts the next. Answers how many were killed. */
async function keepRunners(
  args: readonly string[],
  random: () => number,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<number> {
  let kills = 0;
  const keep = async (): Promise<void> => {
    while (!signal.aborted) {
      const child: ChildProcess = fork(join(import.meta.dirname, 'runner.ts'), args, {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      const exit = once(child, 'exit');
      child.on('message', (line) => log(String(line)));
      await Promise.race([once(child, 'message'), exit]);
      await wait(100 + random() * LIFE, undefined, { signal }).catch(() => undefined);
      child.kill('SIGKILL');
      kills += 1;
      await exit;
    }
  };
  await Promise.all(Array.from({ length: RUNNERS }, keep));
  return kills;
}

async function crash(
  servers: readonly Postgres[],
  times: number,
  seconds: number,
  random: () => number,
): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    await wait((seconds * 1000 * (0.5 + random() * 0.5)) / (times + 1));
    for (const server of servers) {
      process.kill(server.pid(), 'SIGKILL');
      await wait(random() * 300);
    }
  }
}

/** Counts the times a side was a bucket's home, before and after, at one epoch, and the other was it in between. */
async function watchHomes(
  pools: readonly pg.Pool[],
  buckets: readonly number[],
  signal: AbortSignal,
  ledger: Ledger,
): Promise<void> {
  const names = Object.values(THINGS.sides);
  const ask = async (side: number): Promise<Map<number, string>> => {
    const { rows } = await pools[side]!.query<{ b: number; home: string; epoch: string }>(
      'SELECT b, home, epoch FROM strangler.things_bucket WHERE b = ANY ($1)',
      [buckets],
    );
    return new Map(rows.flatMap(({ b, home, epoch }) => (home === names[side] ? [[b, epoch]] : [])));
  };
  while (!signal.aborted) {
    const homes = await (async () => [await ask(0), await ask(1), await ask(0)])().catch(() => undefined);
    if (!homes) await wait(20);
    else
      for (const [b, epoch] of homes[0]!)
        if (homes[1]!.has(b) && homes[2]!.get(b) === epoch) ledger.dualHome += 1;
  }
}

/** Brings everything to rest. With a planted mistake it may never come: then what is there is counted. */
async function settleAll(move: Move, mayFail: boolean): Promise<string[]> {
  const { description, from, to } = move;
  const scope = { first: 0, last: BUCKETS - 1 };
  await until(
    async () => {
      try {
        for (const b of await unsettled(move)) await settle(move, b);
        const sent = [
          await syncOnce(description, from, to, scope, { parkedFor: 0 }),
          await syncOnce(description, to, from, scope, { parkedFor: 0 }),
        ];
        return sent.every(({ rows, parked }) => rows + parked === 0);
      } catch {
        return false;
      }
    },
    'everything to be sent',
    mayFail ? 2000 : 30_000,
  ).catch((error: Error) => {
    if (!mayFail) throw error;
  });
  return [...(await verify(move)).corrupt];
}
