import assert from 'node:assert/strict';
import type pg from 'pg';
import { PgBoss } from 'pg-boss';
import { describeMailQueue } from '../test/support/mail-queue.ts';
import { testDatabase, testPool, type TestDatabase } from '../test/support/postgres.ts';
import type { MailJob } from './mail-job.ts';
import { openPgBoss, prepareQueues } from './pgboss.ts';
import type { MailQueue } from './queue.ts';

describe('the mail queue in the shop’s database', () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let queue: MailQueue;
  let worker: PgBoss;
  before(async () => {
    database = await testDatabase({ migrate: ['monolith'] });
    pool = testPool(database.url);
    // Two shops that start at the same time.
    await Promise.all([prepareQueues(pool), prepareQueues(pool)]);
    queue = await openPgBoss(pool, () => undefined);
    worker = new PgBoss({
      db: { executeSql: (text, values) => pool.query(text, values) },
      supervise: false,
      schedule: false,
    });
    await worker.start();
  });
  after(async () => {
    await worker?.stop({ graceful: false });
    await queue?.close();
    await pool?.end();
    await database?.drop();
  });

  describeMailQueue(async () => ({
    pool,
    queue,
    async arrived() {
      const jobs = await worker.fetch<MailJob>('mail', { batchSize: 100 });
      if (jobs.length > 0)
        await worker.complete(
          'mail',
          jobs.map(({ id }) => id),
        );
      return jobs.map(({ data }) => data);
    },
  }));

  it('is prepared again without harm, and leaves the rules to whoever consumes', async () => {
    await worker.updateQueue('mail', { retryLimit: 33 });
    await prepareQueues(pool);
    const found = await worker.getQueue('mail');
    assert.equal(found!.deadLetter, 'mail-dead');
    assert.equal(found!.retryLimit, 33);
    assert.ok(await worker.getQueue('mail-dead'));
  });

  it('says what is missing when it was never prepared', async () => {
    const bare = await testDatabase();
    const barePool = testPool(bare.url);
    try {
      await assert.rejects(
        openPgBoss(barePool, () => undefined),
        /pg-boss is not installed|pgboss/i,
      );
    } finally {
      await barePool.end();
      await bare.drop();
    }
  });
});
