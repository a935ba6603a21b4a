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
import { client } from './clients.ts';
import { takeCourse } from './course.ts';
import { newLedger, type Ledger } from './ledger.ts';
import { plantIntoDatabase, type Plant } from './plants.ts';
import { crash, keepRouter, keepRunners, startApplications } from './processes.ts';
import { generator } from './random.ts';
import { routedClient } from './routed-clients.ts';
import { count, type Outcome } from './verdict.ts';

export interface StormOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly plant?: Plant;
  /** Times each server is killed. Default 0. */
  readonly crashes?: number;
  /** Times the router is killed. Undefined: there is no router, and all clients speak SQL. */
  readonly routerKills?: number;
  /** Clients of each kind. Default 8. */
  readonly clients?: number;
  readonly log?: (line: string) => void;
}

const KEYS = 48;
const OWNERS = 6;
/** Processes that drive the move. */
const RUNNERS = 2;

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
  const { seconds, seed, plant, crashes = 0, routerKills, clients = 8, log = () => {} } = options;
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
  const applications = routerKills === undefined ? undefined : await startApplications(urls);
  const stop = new AbortController();
  const { signal } = stop;
  try {
    await start(move);
    if (plant) for (const pool of pools) await plantIntoDatabase(pool, plant);
    const runners = keepRunners(
      RUNNERS,
      [...urls, buckets.join(), ...(plant ? [plant] : [])],
      random,
      signal,
      log,
    );
    const span = seconds * 1000;
    const router = applications && (await keepRouter(applications.urls, routerKills!, span, random, signal));
    const ledger = newLedger();
    const watched = watchHomes(pools, buckets, signal, ledger);
    const optionsOf = (name: string, i: number) => ({
      name: `${name}${i}`,
      random: generator(seed * 1000 + i),
      keys: KEYS,
      owners: OWNERS,
      signal,
    });
    const work = Array.from({ length: clients }, (_, i) =>
      client({ ...optionsOf('c', i), sides: pools }, ledger),
    );
    const routed = Array.from({ length: router ? clients : 0 }, (_, i) =>
      routedClient({ ...optionsOf('r', i + clients), origin: router!.origin }, ledger),
    );
    await makeReady(move);
    const crashed = servers.map((server) => crash(server, crashes, span, random, signal));
    // A planted mistake need not be found twice.
    const course = await takeCourse(
      move,
      buckets,
      runners,
      span,
      () => plant !== undefined && ledger.dualHome > 0,
    );
    stop.abort();
    await Promise.all([...work, watched]);
    for (const op of (await Promise.all(routed)).flat())
      for (const one of applications!.foretold.get(op) ?? []) ledger.maybeGone.add(one);
    const [old, young] = await Promise.all(crashed);
    const killed = {
      runners: await runners.killed,
      router: (await router?.killed) ?? 0,
      old: old!,
      young: young!,
    };
    const notes = await settleAll(move, plant !== undefined);
    const counts = await count(pools, ledger);
    const { rows } = await pools[0].query<{ handovers: number }>(
      'SELECT sum(epoch - 1)::int AS handovers FROM strangler.things_bucket WHERE b = ANY ($1)',
      [buckets],
    );
    return {
      ...counts,
      dualHome: ledger.dualHome,
      kills: Object.values(killed).reduce((sum, kills) => sum + kills, 0),
      killed,
      routed: ledger.routed,
      handovers: rows[0]!.handovers,
      course,
      notes: [...notes, ...ledger.strange.keys()],
    };
  } finally {
    stop.abort();
    await applications?.close();
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
    await wait(homes ? 5 : 20);
    if (homes)
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
