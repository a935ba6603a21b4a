import assert from 'node:assert/strict';
import type pg from 'pg';
import { mailJob, useEmailApi, type ServiceUnderTest } from './email-api-under-test.ts';
import type { CaughtMail } from './mail-server.ts';
import { until } from './until.ts';

/** What the service does where it is killed, whichever the queue is. */
export function emailApiKills(
  openSetting: () => Promise<ServiceUnderTest>,
  { isWhole = true }: { readonly isWhole?: boolean } = {},
): void {
  const { setting, smtp, start, ids, idsOf, counted, command } = useEmailApi(openSetting);

  it('sends a mail twice only where it was killed after the server took it', async () => {
    let held: pg.PoolClient | null = null;
    smtp().beforeYes = async () => {
      held = await setting().owner.connect();
      // Nothing is written to the inbox from now on, so the service hears yes and can not note it.
      await held.query('BEGIN; LOCK TABLE email_api.inbox IN SHARE MODE');
    };
    const service = start();
    await setting().send(mailJob(1));
    const isNoting = async (): Promise<boolean> => {
      const { rowCount } = await setting().owner.query(
        `SELECT FROM pg_stat_activity WHERE usename = 'email_api' AND wait_event_type = 'Lock' AND query LIKE '%sent_at%'`,
      );
      return rowCount === 1;
    };
    await until(isNoting, () => `the service to write that it was sent; ${service.output()}`, 20_000);
    await service.kill();
    smtp().beforeYes = () => undefined;
    await held!.query('ROLLBACK');
    held!.release();
    assert.deepEqual(ids(), idsOf(1));
    const next = start();
    await until(
      () => ids().length === 2,
      () => `the repetition; ${next.output()}`,
      30_000,
    );
    await until(async () => (await counted(next, 'sent')) === 1, 'it to be over');
    assert.deepEqual(ids(), idsOf(1, 1));
  });

  it('sends a mail once where it was killed before the server took it', async () => {
    let arrived: CaughtMail | null = null;
    smtp().beforeYes = (mail) => {
      arrived = mail;
      // This server never answers; it goes with the process that asked.
      return new Promise(() => undefined);
    };
    const service = start();
    await setting().send(mailJob(1));
    await until(
      () => arrived !== null,
      () => `the mail to arrive; ${service.output()}`,
      20_000,
    );
    await service.kill();
    smtp().beforeYes = () => undefined;
    const next = start();
    await until(
      async () => (await counted(next, 'sent')) === 1,
      () => `the mail; ${next.output()}`,
      30_000,
    );
    assert.deepEqual(ids(), idsOf(1));
  });

  // Where a killed process' job comes back only after its heartbeat that takes half a minute; the queue's own tests have it.
  if (!isWhole) return;
  it('gives up a mail that ends one process after the other, and sends all others', async () => {
    let kills = 0;
    let service = start({ EMAIL_API_MAX_CRASHES: '2' });
    smtp().refuse = (address) => {
      if (address !== 'buyer1@example.com') return null;
      kills += 1;
      service.child.kill('SIGKILL');
      return 451;
    };
    await setting().send(...[1, 2, 3, 4].map((number) => mailJob(number)));
    for (let round = 1; round <= 2; round++) {
      await until(
        () => kills === round,
        () => `kill ${round}; ${service.output()}`,
        40_000,
      );
      await service.exited;
      service = start({ EMAIL_API_MAX_CRASHES: '2' });
    }
    await until(
      async () => (await counted(service, 'dead')) === 1,
      () => `its end; ${service.output()}`,
      40_000,
    );
    await until(async () => /email_api_dead_letters 1/.test(await service.metrics()), 'the queue to have it');
    await until(
      () => new Set(ids()).size === 3,
      () => `the others; ${service.output()}`,
      30_000,
    );
    assert.equal(kills, 2);
    assert.match((await command('list')).output, /<order-1@shop\.example> {2}the process ended 2 times/);
  });
}
