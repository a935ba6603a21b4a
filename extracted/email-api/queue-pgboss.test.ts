import { PgBoss } from 'pg-boss';
import { testDatabase, testPool } from '../../test/support/postgres.ts';
import { queueContract } from '../../test/support/queue-contract.ts';
import { queueDeaths } from '../../test/support/queue-deaths.ts';
import type { QueueUnderTest } from '../../test/support/queue-under-test.ts';
import { openPgBossDeadBox } from './dead-box-pgboss.ts';
import { openPgBossQueue } from './queue-pgboss.ts';

const log = { warn: () => undefined, info: () => undefined };

async function openSetting(): Promise<QueueUnderTest> {
  const database = await testDatabase({ migrate: ['email-api'] });
  const owner = testPool(database.url);
  // As the shop does, with no thought for who consumes.
  const boss = new PgBoss({ connectionString: database.url, supervise: false, schedule: false });
  boss.on('error', () => undefined);
  await boss.start();
  await boss.createQueue('mail-dead');
  await boss.createQueue('mail', { deadLetter: 'mail-dead' });
  const url = database.urlFor('email_api');
  const pools = [testPool(url)];
  return {
    open(concurrency = 5) {
      const pool = testPool(url);
      pools.push(pool);
      return openPgBossQueue({ pool, log, concurrency, poll: 20 });
    },
    async send(...bodies) {
      for (const body of bodies) await boss.send('mail', body);
    },
    openBox: () => openPgBossDeadBox(url),
    async exhaust() {
      await owner.query(
        `UPDATE pgboss.job SET state = 'retry', started_on = now(), retry_count = 19, retry_limit = 20, heartbeat_seconds = 10`,
      );
    },
    async sever() {
      await owner.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'email_api'`);
    },
    env: { DATABASE_URL: url, AMQP_URL: '' },
    async close() {
      await boss.stop({ graceful: false });
      await Promise.all([owner, ...pools].map((pool) => pool.end()));
      await database.drop();
    },
  };
}

describe('the queue in the database', () => {
  queueContract(openSetting);
  queueDeaths(openSetting);
});
