import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { deadLetters } from '../support/email-api.ts';
import { startShop, type Shop } from '../support/shop.ts';
import { until } from '../support/until.ts';

const PLANTED = resolve(import.meta.dirname, '../support/planted-subject.ts');

interface Parity {
  readonly counts: { readonly match: number; readonly mismatch: number };
  readonly mismatches: readonly {
    readonly path: string;
    readonly differences: readonly { where: string }[];
  }[];
}

/** The shop's second seam, from end to end: real mails, counted where they arrive. */
describe('the shop’s mail', function () {
  this.timeout(120_000);
  let shop: Shop;
  before(async () => {
    shop = await startShop({ NODE_OPTIONS: `--import=${PLANTED}` });
  });
  after(async () => {
    if (shop) assert.equal(await shop.stop(), 0);
  });

  async function cli(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await shop.cli(...args);
    assert.equal(code, 0, stderr);
    return stdout;
  }
  const change = (...args: string[]): Promise<string> => cli(...args, '--why', 'a test');
  async function order(n: number, quantity = 1): Promise<string> {
    const answer = await fetch(`${shop.url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ product: 1, quantity, email: `customer-${n}@example.com` }),
    });
    assert.equal(answer.status, 201);
    return `<order-${((await answer.json()) as { id: number }).id}@shop.example>`;
  }
  /** Message-IDs of all mails that have arrived, one for each time. */
  function arrived(): string[] {
    const dir = join(shop.dataDir, 'mail');
    return readdirSync(dir)
      .filter((name) => name.endsWith('.eml'))
      .map((name) => /^message-id: (\S+)/im.exec(readFileSync(join(dir, name), 'utf8'))![1]!);
  }
  const each = (ids: readonly string[]): Promise<void> =>
    until(() => ids.every((id) => arrived().includes(id)), 'each mail to arrive', 30_000);
  const parity = async (): Promise<Parity> => JSON.parse(await cli('parity', 'mail', '--json')) as Parity;
  const all: string[] = [];

  it('is sent by the shop as long as the flag is off', async () => {
    for (let n = 0; n < 3; n++) all.push(await order(n));
    await each(all);
  });

  it('in shadow is rendered by both sides and sent once; what differs is found', async () => {
    await change('promote', 'mail');
    for (let n = 0; n < 10; n++) all.push(await order(n));
    const seven = await order(10, 7);
    all.push(seven);
    await each(all);
    await until(async () => (await parity()).counts.match === 10, 'ten mails to be found alike', 30_000);
    await until(async () => (await parity()).counts.mismatch === 1, 'the eleventh to be found different');
    const { mismatches } = await parity();
    assert.deepEqual(
      mismatches.map(({ path, differences }) => [path, differences.map(({ where }) => where)]),
      [[seven, ['subject']]],
    );
    assert.deepEqual(arrived().toSorted(), all.toSorted(), 'one mail each, and no other');
  });

  it('in canary comes from the side of its address, once, also when the split changes or all is rolled back', async () => {
    await change('promote', 'mail');
    const shares = [100, 30, 70];
    for (const percent of shares) {
      await change('shift', 'mail', String(percent));
      for (let n = 0; n < 10; n++) all.push(await order(n));
    }
    await change('rollback', 'mail');
    for (let n = 0; n < 5; n++) all.push(await order(n));
    await each(all);
    assert.deepEqual(arrived().toSorted(), all.toSorted());
    const metrics = await (await fetch(`${shop.monolithUrl}/metrics`)).text();
    const byService = Number(/^shop_mail\w*\{sender="email-api"\} (\d+)/m.exec(metrics)?.[1]);
    assert.ok(byService >= 10 && byService < 30, metrics);
  });

  it('has its dead letters where the command finds them, with nothing said but DATA_DIR', async () => {
    const nothing = { DATABASE_URL: '', EMAIL_DATABASE_URL: '', AMQP_URL: '' };
    const { code, output } = await deadLetters({ ...nothing, DATA_DIR: shop.dataDir }, 'list');
    assert.deepEqual([code, output], [0, 'there are no dead letters\n']);
    const wrong = await deadLetters({ ...nothing, DATABASE_URL: 'postgres://127.0.0.1:1/shop' }, 'list');
    assert.equal(wrong.code, 2);
    assert.match(
      wrong.output,
      /^the queue in EMAIL_DATABASE_URL \(or DATABASE_URL\) can not be read: .*ECONNREFUSED.* set AMQP_URL\n$/,
    );
  });

  it('is refused where an address would write into the head', async () => {
    const answer = await fetch(`${shop.url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ product: 1, quantity: 1, email: 'a@example.com\r\nBcc: b@example.com' }),
    });
    assert.equal(answer.status, 400);
    assert.equal(arrived().length, all.length);
  });
});
