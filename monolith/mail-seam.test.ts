import assert from 'node:assert/strict';
import supertest from 'supertest';
import { openMonolith, type OpenMonolith } from '../test/support/monolith.ts';
import type { Answer } from './flags.ts';
import type { MailJob } from './mail-job.ts';
import { startMail, type Mail } from './mail.ts';
import { openOutbox } from './outbox.ts';
import type { Attempt } from './mail-loop.ts';
import type { MailQueue } from './queue.ts';

interface Row {
  readonly id: string;
  readonly mailed_by: string;
  readonly isOver: boolean;
}

describe('who sends an order’s mail', () => {
  let shop: OpenMonolith;
  let mail: Mail;
  let product: number;
  let answer: Answer;
  let asked: string[];
  let fault: Error | null;
  const reported: (Attempt & { side: string })[] = [];
  const outbox = openOutbox();
  const queue: MailQueue = {
    ...outbox,
    async enqueue(client, job) {
      // As a missing table would: the transaction can't go on by itself.
      if (fault) await client.query('SELECT 1 / 0');
      await outbox.enqueue(client, job);
    },
  };

  before(async () => {
    shop = await openMonolith((address) => mail.senderFor(address));
    product = await shop.product('Lamp\r\nBcc: eve@example.com');
    mail = startMail({
      pool: shop.pool,
      // Nothing listens there: this monolith sends nothing.
      smtpUrl: () => 'smtp://127.0.0.1:1',
      log: { info: () => undefined, warn: () => undefined },
      sent: { inc: () => undefined },
      interval: 3_600_000,
      seam: {
        ask: async (flag, preset, key) => {
          asked.push(`${flag} ${preset} ${key}`);
          return answer;
        },
        queue,
        reporter: { report: (observation) => void reported.push(observation) },
      },
    });
  });
  beforeEach(async () => {
    asked = [];
    fault = null;
    answer = { value: 'monolith', metadata: {} };
    await shop.pool.query('DELETE FROM orders; DELETE FROM mail_outbox');
  });
  after(async () => {
    await mail?.stop();
    await shop?.close();
  });

  const order = (email = 'Ana@Example.com'): supertest.Test =>
    supertest(shop.app).post('/orders').send({ product, quantity: 2, email });
  const rows = async (): Promise<Row[]> =>
    (
      await shop.pool.query<Row>(
        'SELECT id, mailed_by, mailed_at IS NOT NULL AS "isOver" FROM orders ORDER BY id',
      )
    ).rows;
  const jobs = async (): Promise<MailJob[]> =>
    (await shop.pool.query<{ job: MailJob }>('SELECT job FROM mail_outbox ORDER BY position')).rows.map(
      ({ job }) => job,
    );

  it('is the monolith, asked by the address', async () => {
    const { body } = await order().expect(201);
    assert.deepEqual(asked, ['mail monolith ana@example.com']);
    assert.deepEqual(await rows(), [{ id: String(body.id), mailed_by: 'monolith', isOver: false }]);
    assert.deepEqual(await jobs(), []);
  });

  it('is the email-api, whose job is written with the order', async () => {
    answer = { value: 'email-api', metadata: { shadow: false } };
    const { body } = await order().expect(201);
    assert.deepEqual(await rows(), [{ id: String(body.id), mailed_by: 'email-api', isOver: true }]);
    assert.deepEqual(await jobs(), [
      {
        version: 1,
        id: `<order-${body.id}@shop.example>`,
        kind: 'order-confirmation',
        to: 'Ana@Example.com',
        order: {
          id: String(body.id),
          quantity: 2,
          product: 'Lamp\r\nBcc: eve@example.com',
          totalCents: 2500,
          currency: 'EUR',
        },
        shadow: null,
      },
    ]);
  });

  it('is the monolith while the email-api compares what it would send', async () => {
    answer = { value: 'monolith', metadata: { shadow: true } };
    const { body } = await order().expect(201);
    assert.deepEqual(await rows(), [{ id: String(body.id), mailed_by: 'monolith', isOver: false }]);
    const [job] = await jobs();
    assert.equal(job!.shadow!.subject, `Your order ${body.id}`);
    assert.equal(job!.shadow!.to, 'Ana@Example.com');
  });

  it('is the monolith for a variant that it does not know', async () => {
    answer = { value: 'sms-api', metadata: {} };
    await order().expect(201);
    assert.deepEqual(
      (await rows()).map((row) => row.mailed_by),
      ['monolith'],
    );
    assert.deepEqual(await jobs(), []);
  });

  it('stays who it was, whatever the flag says later', async () => {
    answer = { value: 'email-api', metadata: {} };
    await order().expect(201);
    answer = { value: 'monolith', metadata: {} };
    await order().expect(201);
    answer = { value: 'email-api', metadata: {} };
    mail.wake();
    assert.deepEqual(
      (await rows()).map(({ mailed_by, isOver }) => [mailed_by, isOver]),
      [
        ['email-api', true],
        ['monolith', false],
      ],
    );
    assert.equal((await jobs()).length, 1);
    // A hand that takes the mark away does not make a second sender either.
    await assert.rejects(
      shop.pool.query("UPDATE orders SET mailed_at = NULL WHERE mailed_by = 'email-api'"),
      /orders_mailed_by/,
    );
  });

  it('is the monolith when the job can’t be queued: the order is taken, once', async () => {
    fault = new Error('no queue');
    for (const value of ['email-api', 'monolith']) {
      answer = { value, metadata: { shadow: true } };
      await order().expect(201);
    }
    assert.deepEqual(
      (await rows()).map((row) => row.mailed_by),
      ['monolith', 'monolith'],
    );
    assert.deepEqual(await jobs(), []);
    assert.equal(shop.errors.length, 2);
  });

  it('is nobody for an address that would add to the mail’s head: no order, no job', async () => {
    answer = { value: 'email-api', metadata: {} };
    for (const email of ['a@b.example\r\nBcc: eve@example.com', 'a@b.example\nx', 'a@b.example\u0000'])
      await order(email).expect(400);
    // What the request is not asked for: an account with an address from before such checks.
    const { cookie } = await shop.customer('ana@b.example\r\nBcc: eve@example.com');
    const refused = await supertest(shop.app)
      .post('/orders')
      .set('cookie', cookie)
      .send({ product })
      .expect(400);
    assert.match(refused.body.detail, /the confirmation can't be sent: to: holds a control character/);
    assert.deepEqual(await rows(), []);
    assert.deepEqual(await jobs(), []);
  });

  it('is asked before the order’s transaction begins', async () => {
    const open = async (): Promise<number> =>
      (
        await shop.pool.query<{ count: number }>(
          "SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
        )
      ).rows[0]!.count;
    const { senderFor } = mail;
    let during = -1;
    mail.senderFor = async (address) => {
      during = await open();
      return senderFor(address);
    };
    answer = { value: 'email-api', metadata: {} };
    await order().expect(201);
    mail.senderFor = senderFor;
    assert.equal(during, 0);
  });

  it('tells the router how the monolith’s own mails fare', async () => {
    reported.length = 0;
    await order().expect(201);
    mail.wake();
    await mail.stop();
    assert.ok(reported.length > 0);
    assert.deepEqual([reported[0]!.side, reported[0]!.ok], ['monolith', false]);
    assert.ok(reported[0]!.milliseconds >= 0);
  });
});
