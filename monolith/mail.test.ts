import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { Registry, Counter } from '@prometheus-io/client';
import { SMTPServer } from 'smtp-server';
import { openMonolith, type OpenMonolith } from '../test/support/monolith.ts';
import { until } from '../test/support/until.ts';
import { startMail, type MailLoop, type MailOptions } from './mail.ts';

interface Catcher {
  readonly url: string;
  /** Mails as they came. */
  readonly mails: string[];
  close(): Promise<void>;
}

/** A mail server; `refuses` says which recipients it does not take, `port` 0 is any. */
async function catchMail(refuses: (address: string) => boolean = () => false, port = 0): Promise<Catcher> {
  const mails: string[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 100,
    onRcptTo: ({ address }, _session, done) =>
      done(refuses(address) ? Object.assign(new Error('no such mailbox'), { responseCode: 550 }) : undefined),
    onData(stream, _session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        mails.push(Buffer.concat(chunks).toString());
        done();
      });
    },
  });
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  const address = server.server.address();
  return {
    url: `smtp://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    mails,
    close: () => new Promise((closed) => server.close(closed)),
  };
}

/** A mail server that hangs up on one recipient, and takes all other mail. */
async function hangUpOn(recipient: string, taken: string[]): Promise<Server> {
  const server = createServer((socket) => {
    let to = '';
    socket.on('error', () => undefined);
    socket.write('220 ready\r\n');
    socket.on('data', (chunk) => {
      to = /^RCPT TO:<(.+)>/im.exec(String(chunk))?.[1] ?? to;
      if (to === recipient) return void socket.destroy();
      const isAll = String(chunk).endsWith('\r\n.\r\n');
      if (isAll) taken.push(to);
      socket.write(/^DATA/i.test(String(chunk)) ? '354 go on\r\n' : '250 yes\r\n');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('mail', () => {
  let shop: OpenMonolith;
  let product: number;
  const loops: MailLoop[] = [];
  const catchers: Catcher[] = [];
  before(async () => {
    shop = await openMonolith();
    product = await shop.product('Lantern <b>& more</b>');
  });
  afterEach(async () => {
    await Promise.all(loops.splice(0).map((loop) => loop.stop()));
    await Promise.all(catchers.splice(0).map((catcher) => catcher.close()));
    await shop.pool.query('DELETE FROM orders');
  });
  after(() => shop?.close());

  const order = async (email = 'ana@example.com'): Promise<string> =>
    (
      await shop.pool.query<{ id: string }>(
        `INSERT INTO orders (product_id, email, quantity, total_cents, currency) VALUES ($1, $2, 2, 2500, 'EUR') RETURNING id`,
        [product, email],
      )
    ).rows[0]!.id;
  const unsent = async (): Promise<string[]> =>
    (
      await shop.pool.query<{ id: string }>('SELECT id FROM orders WHERE mailed_at IS NULL ORDER BY id')
    ).rows.map(({ id }) => id);
  const start = (
    smtpUrl: string,
    options: Partial<MailOptions> = {},
  ): { loop: MailLoop; counts: () => Promise<string> } => {
    const registry = new Registry();
    const sent = new Counter({
      name: 'mails_total',
      help: 'x',
      labelNames: ['result'],
      registers: [registry],
    });
    const log = { info: () => {}, warn: () => {} };
    const loop = startMail({ pool: shop.pool, smtpUrl: () => smtpUrl, log, sent, interval: 50, ...options });
    loops.push(loop);
    return { loop, counts: () => registry.metrics() };
  };
  const open = async (...args: Parameters<typeof catchMail>): Promise<Catcher> => {
    const catcher = await catchMail(...args);
    catchers.push(catcher);
    return catcher;
  };
  const allSent = (): Promise<void> =>
    until(async () => (await unsent()).length === 0, 'all mails to be sent');

  it('confirms an order once, in text and HTML, with a Message-ID of the order', async () => {
    const catcher = await open();
    const { loop, counts } = start(catcher.url, { interval: 3_600_000 });
    await until(async () => (await unsent()).length === 0, 'the start to be over');
    const id = await order();
    loop.wake();
    await allSent();
    loop.wake();
    await loop.stop();
    assert.equal(catcher.mails.length, 1);
    const [mail] = catcher.mails;
    assert.match(mail!, new RegExp(`^Message-ID: <order-${id}@shop\\.example>\\r$`, 'im'));
    assert.match(mail!, /^To: ana@example\.com\r$/im);
    assert.match(mail!, new RegExp(`^Subject: Your order ${id}\\r$`, 'im'));
    assert.match(mail!, /^Content-Type: text\/plain/im);
    assert.match(mail!, /^Content-Type: text\/html/im);
    assert.ok(mail!.includes('25.00'));
    assert.ok(mail!.replaceAll('=\r\n', '').includes('Lantern &#60;b&#62;&#38; more'), 'HTML is escaped');
    assert.match(await counts(), /mails_total\{result="sent"\} 1/);
  });

  it('loses nothing while the mail server is down', async () => {
    const closed = await catchMail();
    await closed.close();
    const ids = [await order(), await order()];
    const { counts } = start(closed.url);
    await until(async () => (await counts()).includes('result="failed"'), 'a failure');
    assert.deepEqual(await unsent(), ids);
    const catcher = await open(() => false, Number(new URL(closed.url).port));
    await allSent();
    assert.equal(catcher.mails.length, 2);
  });

  it('does not let a refused address hold up the others, and tries it again', async () => {
    let isRefused = true;
    const catcher = await open((address) => isRefused && address === 'bad@example.com');
    const bad = await order('bad@example.com');
    await order();
    await order();
    const { counts } = start(catcher.url, { refusalPause: 300 });
    // The server has a mail a moment before its order says so.
    await until(async () => (await unsent()).join() === bad, 'the others');
    assert.equal(catcher.mails.length, 2);
    assert.match(await counts(), /mails_total\{result="failed"\} [1-9]/);
    isRefused = false;
    await allSent();
    assert.match(catcher.mails[2]!, new RegExp(`<order-${bad}@shop`));
  });

  it('does not let a mail that the server hangs up on hold up the others', async () => {
    const taken: string[] = [];
    const server = await hangUpOn('bad@example.com', taken);
    const bad = await order('bad@example.com');
    await order('ana@example.com');
    await order('ben@example.com');
    start(`smtp://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await until(async () => (await unsent()).join() === bad, 'the others');
    assert.deepEqual(taken.toSorted(), ['ana@example.com', 'ben@example.com']);
    await Promise.all(loops.splice(0).map((loop) => loop.stop()));
    server.close();
  });

  it('waits longer after each refusal, an hour at the most', async () => {
    const catcher = await open(() => true);
    const pause = async (refusals: number): Promise<number> => {
      await shop.pool.query('DELETE FROM orders');
      const id = await order();
      await shop.pool.query('UPDATE orders SET mail_refusals = $2 WHERE id = $1', [id, refusals]);
      const { loop } = start(catcher.url);
      const read = `SELECT mail_refusals AS refusals, extract(epoch FROM mail_after - now())::float8 AS pause FROM orders`;
      let row = { refusals, pause: 0 };
      await until(
        async () => (row = (await shop.pool.query<typeof row>(read)).rows[0]!).refusals > refusals,
        'a refusal',
      );
      await loop.stop();
      return row.pause;
    };
    for (const [refusals, expected] of [
      [0, 30],
      [2, 120],
      [40, 3600],
    ] as const) {
      const found = await pause(refusals);
      assert.ok(found <= expected && found > expected - 10, `${found} s after ${refusals} refusals`);
    }
  });

  it('is sent once by several shops on one database', async () => {
    const catcher = await open();
    const ids = await Promise.all([...Array(20).keys()].map(() => order()));
    for (let i = 0; i < 3; i++) start(catcher.url);
    await allSent();
    await Promise.all(loops.map((loop) => loop.stop()));
    assert.equal(catcher.mails.length, ids.length);
    assert.equal(
      new Set(catcher.mails.map((mail) => /^Message-ID: (.+)\r$/im.exec(mail)![1])).size,
      ids.length,
    );
  });
});
