import assert from 'node:assert/strict';
import type pg from 'pg';
import { testDatabase, testPool, type TestDatabase } from '../../test/support/postgres.ts';
import { until } from '../../test/support/until.ts';
import { takeTurn } from './turn.ts';

describe('a turn at a share of the sync', () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  before(async () => {
    database = await testDatabase();
    pool = testPool(database.url);
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });

  /** A process that works until it is told to end. */
  const holder = (share: number): { turn: Promise<boolean>; isAtWork: () => boolean; end: () => void } => {
    const stop = new AbortController();
    const ended = Promise.withResolvers<void>();
    let isAtWork = false;
    const work = async (): Promise<boolean> => {
      isAtWork = true;
      await ended.promise;
      return true;
    };
    const turn = takeTurn('things', { pool }, share, work, { pause: 1, signal: stop.signal });
    return {
      turn,
      isAtWork: () => isAtWork,
      end() {
        stop.abort();
        ended.resolve();
      },
    };
  };
  const isFree = (share: number, name = 'things'): Promise<boolean> => {
    const stop = new AbortController();
    const work = async (): Promise<boolean> => {
      stop.abort();
      return true;
    };
    return takeTurn(name, { pool }, share, work, { pause: 1, signal: stop.signal });
  };

  it('is one process’s at a time; other shares and other moves are free', async () => {
    const first = holder(0);
    await until(first.isAtWork, 'the first to work');
    assert.deepEqual([await isFree(0), await isFree(512), await isFree(0, 'others')], [false, true, true]);
    first.end();
    assert.equal(await first.turn, true);
    assert.equal(await isFree(0), true);
  });

  it('is over for others when its connection is gone, and harms nobody who was at work', async () => {
    const first = holder(0);
    await until(first.isAtWork, 'the first to work');
    await pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    await until(() => isFree(0), 'the share to be free');
    first.end();
    assert.equal(await first.turn, true);
  });

  it('ends with the error of its work, and is free then', async () => {
    const fails = async (): Promise<boolean> => {
      throw new Error('no luck');
    };
    const { signal } = new AbortController();
    await assert.rejects(takeTurn('things', { pool }, 0, fails, { pause: 1, signal }), /no luck/);
    assert.equal(await isFree(0), true);
  });
});
