import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { movingYaml, noted, send, startSide, type Side } from '../support/moving.ts';
import { CANARY, startRouter, untilStatus, type RouterProcess } from '../support/router.ts';
import { until } from '../support/until.ts';

const POST = 'POST /products/1/images';
const body = randomBytes(5 * 1024 * 1024);

describe('a router whose feature moves', () => {
  let monolith: Side;
  let service: Side;
  let dir: string;
  const routers: RouterProcess[] = [];
  const start = async (more = '', env: Record<string, string> = {}, at = dir): Promise<RouterProcess> => {
    const yaml = movingYaml(monolith.url, service.url, more);
    const router = await startRouter({ yaml, flags: CANARY(0), dir: at, env });
    routers.push(router);
    return router;
  };
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'moving-'));
    monolith = await startSide('monolith');
    service = await startSide('image-api');
  });
  afterEach(async () => {
    for (const router of routers.splice(0)) await router.stop();
    await monolith.close();
    await service.close();
    rmSync(dir, { recursive: true });
  });

  it('leaves no body on the disk when it is killed in the middle of one, and nothing is done twice', async () => {
    const router = await start();
    const spool = join(dir, '.data/spool');
    const client = connect(Number(new URL(router.url).port), '127.0.0.1');
    client.on('error', () => client.destroy());
    client.write(`${POST} HTTP/1.1\r\nHost: shop\r\nContent-Length: ${body.length}\r\n\r\n`);
    client.write(body.subarray(0, 3_000_000));
    await until(() => client.writableLength === 0, 'most of the body is with the router');
    assert.equal(statSync(spool).mode & 0o777, 0o700);
    // What a process leaves that is killed between opening a file and taking its name away.
    writeFileSync(join(spool, `${'ab'.repeat(12)}.body`), 'left');
    writeFileSync(join(spool, 'not-ours'), '');
    await router.kill('SIGKILL');
    assert.deepEqual(readdirSync(spool).toSorted(), [`${'ab'.repeat(12)}.body`, 'not-ours']);
    const next = await start();
    assert.deepEqual(readdirSync(spool), ['not-ours']);
    assert.deepEqual([...monolith.done, ...service.done], []);
    assert.equal((await send(next.url, POST, { body })).by, 'monolith');
    assert.deepEqual(monolith.done, [noted('POST', '/products/1/images', body)]);
  });

  it('is believed by another one on the same folder, and by one with the same key', async () => {
    service.mirrors = false;
    monolith.home = () => 'image-api; epoch=2';
    const elsewhere = mkdtempSync(join(tmpdir(), 'moving-'));
    const pinOf = async (router: RouterProcess): Promise<string> => {
      const { headers } = await send(router.url, POST);
      return headers['set-cookie']![0]!.split(';', 1)[0]!;
    };
    const reads = async (router: RouterProcess, cookie: string): Promise<string> =>
      (await send(router.url, 'GET /images/7', { headers: { cookie } })).by;
    try {
      const one = await start();
      const pin = await pinOf(one);
      assert.equal(statSync(join(dir, '.data/pin-key')).mode & 0o777, 0o600);
      await one.stop();
      assert.equal(await reads(await start(), pin), 'image-api');
      const key = { STRANGLER_PIN_KEY: 'a key of the test' };
      const other = await start('', key, elsewhere);
      assert.equal(await reads(other, pin), 'monolith', 'signed with another key');
      const pinned = await pinOf(other);
      await other.stop();
      await routers.at(-2)!.stop();
      assert.equal(await reads(await start('', key), pinned), 'image-api');
    } finally {
      for (const router of routers.splice(0)) await router.stop();
      rmSync(elsewhere, { recursive: true });
    }
  });

  for (const workers of [1, 2])
    it(`says what it knows of homes, with workers: ${workers}`, async () => {
      const router = await start(`workers: ${workers}\n`);
      monolith.home = () => 'image-api; epoch=2';
      for (let product = 1; product <= 5; product++)
        await send(router.url, `POST /products/${product}/images`, { body: body.subarray(0, 100_000) });
      const expected = {
        misdirected: 5,
        held: 0,
        spooledBytes: 500_000,
        homes: { monolith: 0, 'image-api': 5 },
      };
      const status = await untilStatus(router, ({ features }) => {
        const [{ writes } = { writes: {} }] = features as { writes: { misdirected?: number } }[];
        return writes.misdirected === 5;
      });
      const [feature] = status['features'] as { data: string; writes: Record<string, unknown> }[];
      const { majority: _, ...writes } = feature!.writes;
      assert.deepEqual([feature!.data, writes], ['moving', expected]);
      const metrics = await (await fetch(`${router.adminUrl}/metrics`)).text();
      assert.match(metrics, /strangler_misdirected_total\{feature="images"\} 5/);
      assert.match(metrics, /strangler_spooled_bytes_total\{feature="images"\} 500000/);
      assert.match(metrics, /strangler_writes_held_total\{feature="images"\} 0/);

      const explained = await router.cli('explain', 'POST', '/products/3/images', '--key', 'ana');
      assert.match(
        explained.stdout,
        /→ image-api[^]*reason {3}HOME[^]*reads {4}monolith[^]*writes {3}image-api/,
      );
      const read = await router.cli('explain', 'GET', '/products/3/images', '--key', 'ana', '--json');
      const { upstream, readSide, writeHome } = JSON.parse(read.stdout) as Record<string, string>;
      assert.deepEqual([upstream, readSide, writeHome], ['monolith', 'monolith', 'image-api']);
    });

  it('moves reads at once with kill and rollback, and leaves writes with their home', async () => {
    const router = await start();
    monolith.home = () => 'image-api; epoch=2';
    await router.change('/images/split', { percent: 100 });
    const headers = { 'x-user-id': 'ana' };
    assert.equal((await send(router.url, 'GET /images/7', { headers })).by, 'image-api');
    for (const verb of ['kill', 'rollback']) {
      assert.equal((await router.change(`/images/${verb}`, {})).status, 200);
      assert.equal((await send(router.url, 'GET /images/7', { headers })).by, 'monolith', verb);
      assert.equal((await send(router.url, POST, { headers })).by, 'image-api', verb);
      await router.change('/images/resume', {});
      await router.change('/images/split', { percent: 100 });
    }
  });
});
