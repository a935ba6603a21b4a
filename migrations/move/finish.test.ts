import assert from 'node:assert/strict';
import { testMove, THINGS, type TestMove } from '../../test/support/move.ts';
import { until } from '../../test/support/until.ts';
import { Changed } from './changed.ts';
import { cancel } from './finish.ts';
import { Refused } from './handover.ts';
import { nextPhase } from './phase.ts';
import { countBacklog } from './progress.ts';
import { rampTo } from './ramp.ts';
import { readRecord } from './record.ts';
import { run } from './run.ts';
import { openMove, type Move } from './side.ts';
import { acceptColumns, start } from './start.ts';
import { verify } from './verify.ts';

describe('the table of phases', () => {
  it('has these ways and no others', () => {
    assert.equal(nextPhase('backfill', 'verified'), undefined);
    assert.equal(nextPhase('ramp', 'complete'), undefined);
    assert.equal(nextPhase('soak', 'cancel'), undefined);
    assert.equal(nextPhase('soak', 'left'), 'ramp');
  });
});

describe('the phases of a move', function () {
  this.timeout(60_000);
  let test: TestMove;
  const runs: { stop: AbortController; done: Promise<void> }[] = [];
  afterEach(async () => {
    for (const { stop } of runs) stop.abort();
    await Promise.allSettled(runs.splice(0).map(({ done }) => done));
    await test.close();
  });
  const begin = async (): Promise<void> => {
    test = await testMove();
    await test.old.query('INSERT INTO things (id, owner) SELECT i, i FROM generate_series(1, 100) i');
  };
  const drive = (): Promise<void> => {
    const stop = new AbortController();
    const done = run(test.move, { signal: stop.signal, chunk: 7 });
    runs.push({ stop, done });
    return done;
  };
  const phase = async (): Promise<string> => (await readRecord(test.move)).phase;

  it('are driven by two runners at once, and a cancel leaves nothing', async () => {
    await begin();
    await start(test.move);
    await start(test.move);
    const done = [drive(), drive()];
    await until(async () => (await phase()) === 'ramp', 'the phase ramp', 20_000);
    await rampTo(test.move, 2);
    await assert.rejects(cancel(test.move), /bring them back first/);
    await rampTo(test.move, 0);
    assert.deepEqual(await test.rows('young'), await test.rows('old'));
    await cancel(test.move);
    await Promise.allSettled(done);
    for (const pool of [test.old, test.young]) {
      const { rows } = await pool.query(
        "SELECT relname AS name FROM pg_class WHERE relname LIKE 'things%' AND relnamespace = 'strangler'::regnamespace UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'strangler'::regnamespace",
      );
      assert.deepEqual(rows, []);
    }
    assert.deepEqual(await test.rows('young'), []);
    await test.old.query('UPDATE things SET n = 1');
    await start(test.move);
  });

  it('stop with advice when a table gets another column', async () => {
    await begin();
    await start(test.move);
    const done = drive();
    await test.young.query('ALTER TABLE things ADD extra int');
    await assert.rejects(done, /columns of things at image-api changed/);
  });

  it('go on when the change is accepted', async () => {
    await begin();
    await start(test.move);
    for (const pool of [test.old, test.young]) await pool.query('ALTER TABLE things ADD extra int');
    const [from, to] = test.databases.map(({ url }) => url) as [string, string];
    const again = await openMove(THINGS, { from, to });
    try {
      const { signal } = new AbortController();
      await assert.rejects(run(again, { signal }), /columns of things at monolith changed/);
      await acceptColumns(again);
      await test.old.query('UPDATE things SET extra = id');
      const stop = new AbortController();
      const done = run(again, { signal: stop.signal });
      try {
        await until(async () => (await readRecord(again)).phase === 'ramp', 'the phase ramp', 20_000);
      } finally {
        stop.abort();
        await done;
      }
      assert.deepEqual(await test.rows('young'), await test.rows('old'));
    } finally {
      await again.close();
    }
  });

  it('hand nothing over and compare nothing while the columns are others, but go back', async () => {
    await begin();
    await start(test.move);
    const stop = new AbortController();
    const done = run(test.move, { signal: stop.signal });
    await until(async () => (await readRecord(test.move)).phase === 'ramp', 'the phase ramp', 20_000);
    stop.abort();
    await done;
    await rampTo(test.move, 1);
    await test.old.query("ALTER TABLE things ADD extra text DEFAULT 'only here'");
    const [from, to] = test.databases.map(({ url }) => url) as [string, string];
    const again = await openMove(THINGS, { from, to });
    try {
      for (const work of [verify(again), rampTo(again, 100)])
        await assert.rejects(work, (error) => error instanceof Changed);
      assert.equal((await readRecord(again)).corrupt, null);
      await rampTo(again, 0);
    } finally {
      await again.close();
    }
  });

  it('send all rows anew when changed columns are accepted, each from its home', async () => {
    await begin();
    await start(test.move);
    let stop = new AbortController();
    let done = run(test.move, { signal: stop.signal });
    const ramping = (move: Move): Promise<void> =>
      until(
        async () => {
          const { phase, verifiedAgo } = await readRecord(move);
          return phase === 'ramp' && verifiedAgo !== null;
        },
        'the phase ramp',
        20_000,
      );
    await ramping(test.move);
    await rampTo(test.move, 10);
    stop.abort();
    await done;
    // No row of these was written, so nothing has marked them.
    await test.old.query("ALTER TABLE things ADD extra text DEFAULT 'shop'");
    await test.young.query("ALTER TABLE things ADD extra text DEFAULT 'service'");
    const [from, to] = test.databases.map(({ url }) => url) as [string, string];
    const again = await openMove(THINGS, { from, to });
    try {
      await acceptColumns(again);
      stop = new AbortController();
      done = run(again, { signal: stop.signal });
      await ramping(again);
      // A verification takes rows that are still to be sent for what they are: no difference.
      const waiting = (): Promise<number[]> =>
        Promise.all([again.from, again.to].map((side) => countBacklog(again.description, side, 1)));
      await until(async () => (await waiting()).every((rows) => rows === 0), 'all rows to be sent', 20_000);
      stop.abort();
      await done;
      assert.deepEqual(await test.rows('young'), await test.rows('old'));
      const { rows } = await test.old.query('SELECT DISTINCT extra FROM things ORDER BY extra');
      assert.deepEqual(rows, [{ extra: 'service' }, { extra: 'shop' }]);
      assert.equal((await readRecord(again)).corrupt, null);
    } finally {
      stop.abort();
      await done;
      await again.close();
    }
  });

  it('begin only where the tables can be moved', async () => {
    test = await testMove({ ...THINGS, key: ['word'], owner: 'n' });
    await assert.rejects(start(test.move), /it needs a primary key or unique constraint on \(word\)/);
    await test.young.query('INSERT INTO things (owner) VALUES (1)');
    await assert.rejects(start({ ...test.move, description: THINGS }), /must be empty when the move starts/);
  });

  it('begin when who writes the table has ended, and say so before', async function () {
    this.timeout(20_000);
    test = await testMove();
    const writer = await test.old.connect();
    try {
      await writer.query('BEGIN; INSERT INTO things (owner) VALUES (1)');
      await assert.rejects(start(test.move), (error: Error) => {
        assert.match(error.message, /a transaction that writes .*things.* of monolith does not end/);
        return error instanceof Refused;
      });
      await writer.query('COMMIT');
    } finally {
      writer.release();
    }
    await start(test.move);
  });

  it('begin with a key of domains over domains, whose index includes further columns', async () => {
    const table = `CREATE DOMAIN code AS text; CREATE DOMAIN short_code AS code CHECK (length(VALUE) < 9);
      CREATE TABLE things (id short_code, owner short_code NOT NULL, n int, PRIMARY KEY (id) INCLUDE (n))`;
    test = await testMove(THINGS, [table, table]);
    await start(test.move);
    assert.equal((await readRecord(test.move)).phase, 'backfill');
  });
});
