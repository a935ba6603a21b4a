import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { exchange } from '../../router/forward/testbed.ts';
import { movingBed, send, type MovingBed } from '../support/moving.ts';
import { CANARY } from '../support/router.ts';
import { until } from '../support/until.ts';

const POST = 'POST /products/1/images';
const body = randomBytes(5 * 1024 * 1024);

describe('bodies that may have to be sent again', () => {
  let bed: MovingBed;
  beforeEach(async () => {
    bed = await movingBed();
  });
  afterEach(() => bed.close());
  const done = (): string[] => [...bed.monolith.done, ...bed.service.done];

  it('wait for no more disk than there is for them', async () => {
    await bed.close();
    bed = await movingBed(CANARY(0), { spoolBytes: 6_000_000 });
    const lie = (): Socket => {
      const socket = connect(bed.bed.listening.port, '127.0.0.1').resume();
      socket.on('error', () => socket.destroy());
      socket.write(`${POST} HTTP/1.1\r\nHost: shop\r\nContent-Length: 3000001\r\n\r\n`);
      socket.write(Buffer.alloc(3_000_000));
      return socket;
    };
    let first = lie();
    // Refused in the middle of its body: the answer, or the reset behind it.
    const isRefused = async (): Promise<boolean> =>
      (await send(bed.origin, POST, { body }).catch(() => ({ status: 503 }))).status === 503;
    await until(async () => {
      // Whoever comes last is refused, and that may be the first one.
      if (first.destroyed) first = lie();
      return await isRefused();
    }, 'the first one to lie on the disk');
    assert.ok(bed.logged.includes('a body could not be kept on the disk'));
    first.destroy();
    await until(async () => !(await isRefused()), 'its place to be free again');
  });

  it('answer 503 when the disk fails, and reach nobody', async () => {
    rmSync(bed.spool, { recursive: true });
    const answer = await exchange(
      bed.bed.listening.port,
      [`${POST} HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\n`, Buffer.alloc(100_000)],
      (text) => text.includes('NO_SPOOL'),
    );
    assert.match(answer, /^HTTP\/1\.1 503 [^]*Retry-After: 1/);
    assert.deepEqual(done(), []);
    assert.deepEqual(bed.logged, ['a body could not be kept on the disk']);
    mkdirSync(bed.spool);
  });

  it('that are too long, broken or left alone reach nobody', async () => {
    const { port } = bed.bed.listening;
    const head = `${POST} HTTP/1.1\r\nHost: shop\r\n`;
    assert.match(await exchange(port, `${head}Content-Length: 9000000\r\n\r\n`), /^HTTP\/1\.1 413 /);
    const chunk = `${(2 ** 20).toString(16)}\r\n${'x'.repeat(2 ** 20)}\r\n`;
    assert.match(
      await exchange(port, [`${head}Transfer-Encoding: chunked\r\n\r\n`, ...Array<string>(9).fill(chunk)]),
      /^HTTP\/1\.1 413 /,
    );
    assert.match(await exchange(port, `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`), /^HTTP\/1\.1 400 /);
    const client = connect(port, '127.0.0.1');
    client.write(`${head}Content-Length: 200000\r\n\r\n${'x'.repeat(150_000)}`);
    await until(() => client.bytesWritten > 150_000 && client.writableLength === 0, 'the piece has left');
    client.destroy();
    await until(() => bed.bed.observations.length === 4, 'four reports');
    assert.deepEqual(
      bed.bed.observations.map(({ status, aborted }) => [status, aborted]),
      [
        [413, false],
        [413, false],
        [400, false],
        [0, true],
      ],
    );
    assert.deepEqual([done(), readdirSync(bed.spool)], [[], []]);
  });
});
