import assert from 'node:assert/strict';
import type pg from 'pg';
import { jobOf, UnsafeJob, type MailJob } from '../../monolith/mail-job.ts';
import type { Confirmed } from '../../monolith/mail-text.ts';
import type { MailQueue } from '../../monolith/queue.ts';
import { until } from './until.ts';

/** A driver, and the far end of its queue. */
export interface QueueUnderTest {
  readonly pool: pg.Pool;
  readonly queue: MailQueue;
  /** Jobs that arrived at the far end since the last call, in the order of arrival. */
  arrived(): Promise<MailJob[]>;
}

const LAMP: Confirmed = { id: '17', quantity: 2, product: 'Lamp', totalCents: 4999, currency: 'EUR' };

/** What every driver of the mail queue promises. `open` is called once, before the tests; what it opens is closed by the caller. */
export function describeMailQueue(open: () => Promise<QueueUnderTest>): void {
  let test: QueueUnderTest;
  before(async () => {
    test = await open();
  });

  async function inTransaction(end: 'COMMIT' | 'ROLLBACK', ...jobs: MailJob[]): Promise<void> {
    const client = await test.pool.connect();
    let failure: Error | undefined;
    try {
      await client.query('BEGIN');
      for (const job of jobs) await test.queue.enqueue(client, job);
      await client.query(end);
    } catch (error) {
      failure = error as Error;
      throw error;
    } finally {
      client.release(failure);
    }
  }
  const arrived = async (count: number): Promise<MailJob[]> => {
    const jobs: MailJob[] = [];
    await until(
      async () => jobs.push(...(await test.arrived())) >= count,
      () => `${count} jobs to arrive; there are ${jobs.length}`,
      30_000,
    );
    return jobs;
  };
  const order = (id: string, more: Partial<Confirmed> = {}): Confirmed => ({ ...LAMP, id, ...more });

  it('brings a job as it was given, with what the monolith sends by itself', async () => {
    const jobs = [jobOf(order('17'), 'ana@example.com', false), jobOf(order('18'), 'ana@example.com', true)];
    await inTransaction('COMMIT', ...jobs);
    assert.deepEqual(
      (await arrived(2)).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      jobs,
    );
    assert.equal(jobs[0]!.id, '<order-17@shop.example>');
    assert.equal(jobs[0]!.shadow, null);
    assert.equal(jobs[1]!.shadow!.subject, 'Your order 18');
  });

  it('has no job of an order that was not taken', async () => {
    await inTransaction('ROLLBACK', jobOf(order('20'), 'ana@example.com', false));
    await inTransaction('COMMIT', jobOf(order('21'), 'ana@example.com', false));
    assert.deepEqual(
      (await arrived(1)).map(({ id }) => id),
      ['<order-21@shop.example>'],
    );
  });

  it('brings what a product is called, whatever that is', async () => {
    const product = 'Lamp\r\nBcc: eve@example.com\r\n.\r\n\t\u0001\u2028<b>\u{1F4A1}';
    await inTransaction('COMMIT', jobOf(order('22', { product }), 'ana@example.com', true));
    const [job] = await arrived(1);
    assert.equal(job!.order.product, product);
    assert.ok(job!.shadow!.text.includes(product));
  });

  it('refuses what would put more into a mail’s head than it says, and queues nothing', async () => {
    const whole = jobOf(order('23'), 'ana@example.com', true);
    const shadow = whole.shadow!;
    for (const [field, job] of [
      ['to', { ...whole, to: 'a@b\r\nBcc: eve@example.com' }],
      ['to', { ...whole, to: 'a@b\nBcc:eve@example.com' }],
      ['to', { ...whole, to: 'a@b, eve@example.com' }],
      ['to', { ...whole, to: 'a\u0000@b' }],
      ['to', { ...whole, to: `${'a'.repeat(250)}@b.example` }],
      ['id', { ...whole, id: '<order-1@shop.example>\r\nBcc: eve@example.com' }],
      ['id', { ...whole, id: 'order 1' }],
      ['order.id', { ...whole, order: order('1\r\nBcc: eve@example.com') }],
      ['shadow.to', { ...whole, shadow: { ...shadow, to: 'a@b\rBcc: eve@example.com' } }],
      ['shadow.from', { ...whole, shadow: { ...shadow, from: 'a@b\nBcc: eve@example.com' } }],
      ['shadow.subject', { ...whole, shadow: { ...shadow, subject: 'Hello\u0085Bcc: eve@example.com' } }],
    ] as const)
      await assert.rejects(inTransaction('COMMIT', job), (error: Error) => {
        assert.ok(error instanceof UnsafeJob, error.stack);
        assert.ok(error.message.startsWith(`${field}: `), error.message);
        return true;
      });
    await inTransaction('COMMIT', jobOf(order('24'), 'ana@example.com', false));
    assert.deepEqual(
      (await arrived(1)).map(({ id }) => id),
      ['<order-24@shop.example>'],
    );
  });

  it('brings each of many once, about in the order they were given', async () => {
    const ids = Array.from({ length: 200 }, (_, index) => String(1000 + index));
    for (const id of ids) await inTransaction('COMMIT', jobOf(order(id), 'ana@example.com', false));
    const found = (await arrived(ids.length)).map((job) => job.order.id);
    assert.deepEqual(found.toSorted(), ids);
    const late = found.filter((id, at) => Math.abs(Number(id) - 1000 - at) > 100);
    assert.deepEqual(late, []);
  });
}
