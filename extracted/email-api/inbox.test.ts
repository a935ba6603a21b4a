import assert from 'node:assert/strict';
import type pg from 'pg';
import { PgBoss } from 'pg-boss';
import { migrate } from '../../migrations/migrate.ts';
import { testDatabase, testPool, type TestDatabase } from '../../test/support/postgres.ts';
import { openInbox, type Inbox } from './inbox.ts';

describe('the inbox', () => {
  let database: TestDatabase;
  let owner: pg.Pool;
  let pool: pg.Pool;
  let inbox: Inbox;
  const giveUp = new AbortController();
  const errors: string[] = [];
  before(async () => {
    database = await testDatabase({ migrate: ['email-api'] });
    owner = testPool(database.url);
    pool = testPool(database.urlFor('email_api'));
    inbox = openInbox({ pool, log: { error: (_fields, text) => errors.push(text) }, giveUp: giveUp.signal });
  });
  beforeEach(() => owner.query('DELETE FROM email_api.inbox'));
  after(async () => {
    await Promise.all([pool, owner].map((each) => each?.end()));
    await database?.drop();
  });
  const sent = async (): Promise<{ isSent: boolean; result: string }> => ({ isSent: true, result: 'done' });
  const refused = async (): Promise<{ isSent: boolean; result: string }> => ({
    isSent: false,
    result: 'refused',
  });
  const row = async (): Promise<{ begun: number; is_sent: boolean }> =>
    (
      await owner.query<{ begun: number; is_sent: boolean }>(
        'SELECT begun, sent_at IS NOT NULL AS is_sent FROM email_api.inbox',
      )
    ).rows[0]!;

  it('lets work be done once that succeeds, and again that does not', async () => {
    assert.equal(await inbox.once('<1@x>', true, refused), 'refused');
    assert.deepEqual(await row(), { begun: 0, is_sent: false });
    assert.equal(await inbox.once('<1@x>', false, sent), 'done');
    assert.deepEqual(await row(), { begun: 0, is_sent: true });
    assert.equal(await inbox.once('<1@x>', false, () => assert.fail('sent before')), 'sent');
  });

  it('lets one at a mail at a time', async () => {
    const begun = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const first = inbox.once('<1@x>', true, async () => {
      begun.resolve();
      await held.promise;
      return sent();
    });
    await begun.promise;
    assert.equal(await inbox.once('<1@x>', true, sent), 'busy');
    assert.equal(await inbox.once('<2@x>', true, sent), 'done');
    held.resolve();
    assert.equal(await first, 'done');
    assert.equal(await inbox.once('<1@x>', true, sent), 'sent');
  });

  it('counts what was begun and never ended, until it is a new job', async () => {
    await owner.query(`INSERT INTO email_api.inbox (message_id, begun) VALUES ('<1@x>', 3)`);
    const look = async (): Promise<{ isSent: boolean; result: number }> => ({
      isSent: false,
      result: await inbox.begun('<1@x>'),
    });
    assert.equal(await inbox.begun('<1@x>'), 3);
    assert.equal(await inbox.once('<1@x>', false, look), 4);
    assert.equal(await inbox.begun('<1@x>'), 0);
    assert.equal(await inbox.once('<1@x>', false, look), 1);
    await owner.query('UPDATE email_api.inbox SET begun = 3');
    assert.equal(await inbox.once('<1@x>', true, look), 1);
    assert.equal(await inbox.begun('<2@x>'), 0);
  });

  it('notes what was sent on another connection, where its own broke', async () => {
    const result = await inbox.once('<1@x>', true, async () => {
      await owner.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'email_api'`);
      return sent();
    });
    assert.equal(result, 'done');
    assert.deepEqual(await row(), { begun: 0, is_sent: true });
  });

  it('notes nothing where the connection broke and nothing was sent', async () => {
    const result = await inbox.once('<1@x>', true, async () => {
      await owner.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'email_api'`);
      return refused();
    });
    assert.equal(result, 'refused');
    assert.equal((await row()).is_sent, false);
    await assert.rejects(
      inbox.once('<2@x>', true, () => Promise.reject(new Error('a bug'))),
      /a bug/,
    );
    assert.equal(await inbox.once('<2@x>', true, sent), 'done');
  });

  it('forgets what is old, and nothing that is being sent', async () => {
    await owner.query(
      `INSERT INTO email_api.inbox (message_id, received_at) SELECT '<' || n || '@x>', now() - make_interval(days => n) FROM generate_series(1, 60) n`,
    );
    await inbox.once('<50@x>', true, async () => {
      assert.equal(await inbox.forget(30), 30);
      return sent();
    });
    assert.equal(await inbox.forget(30), 1);
    assert.equal((await owner.query('SELECT FROM email_api.inbox')).rowCount, 29);
  });
});

describe('the role of the email-api', () => {
  for (const order of ['before', 'after'] as const)
    it(`may take jobs, and nothing of the shop’s, when it is made ${order} the queue`, async () => {
      const database = await testDatabase({ migrate: ['monolith'] });
      const install = async (): Promise<void> => {
        const boss = new PgBoss({ connectionString: database.url, supervise: false, schedule: false });
        await boss.start();
        await boss.createQueue('mail', { partition: true });
        await boss.stop({ graceful: false });
      };
      if (order === 'after') await install();
      await migrate({ url: database.url, set: 'email-api' });
      if (order === 'before') await install();
      const pool = testPool(database.urlFor('email_api'));
      const may = (sql: string): Promise<boolean> =>
        pool.query(sql).then(
          () => true,
          (error: Error & { code: string }) => {
            assert.equal(error.code, '42501', error.message);
            return false;
          },
        );
      assert.ok(await may('SELECT FROM pgboss.job'));
      assert.ok(await may(`UPDATE pgboss.queue SET retry_limit = 20`));
      assert.ok(await may('DELETE FROM email_api.inbox'));
      for (const sql of [
        'SELECT FROM orders',
        'SELECT FROM users',
        'DROP TABLE pgboss.job',
        'TRUNCATE pgboss.job',
        'CREATE TABLE pgboss.mine (id int)',
        'CREATE TABLE email_api.mine (id int)',
        'DROP TABLE email_api.inbox',
        'ALTER TABLE email_api.inbox ADD COLUMN x int',
      ])
        assert.equal(await may(sql), false, sql);
      await pool.end();
      await database.drop();
    });
});
