import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import request from 'supertest';
import { listening } from '../../test/support/listening.ts';
import { until } from '../../test/support/until.ts';
import { fileOriginal, type Span } from './original.ts';
import { problems } from './problem.ts';
import { sendOriginal } from './send-original.ts';

const SIZE = 3_000_000;
const BYTES = Buffer.alloc(
  SIZE,
  Uint8Array.from({ length: 251 }, (_, n) => n),
);
const TAG = '"picture"';

describe('sending an original', () => {
  let folder: string;
  let path: string;
  let server: Server;
  let url: string;
  let failures: string[];
  let asked: (Span | undefined)[];
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'originals-'));
    path = join(folder, 'picture');
    const app = express();
    app.get('/', async (request, response) => {
      response.set({ etag: TAG, 'content-type': 'image/jpeg' });
      const original = fileOriginal(path);
      await sendOriginal(
        request,
        response,
        {
          ...original,
          read: (span, signal) => {
            asked.push(span);
            return original.read(span, signal);
          },
        },
        SIZE,
      ).catch((error: Error) => {
        failures.push(error.message);
        throw error;
      });
    });
    app.use(problems({ error: () => undefined }));
    ({ server, url } = await listening(app));
  });
  beforeEach(() => {
    writeFileSync(path, BYTES);
    failures = [];
    asked = [];
  });
  after(async () => {
    server.closeAllConnections();
    await once(server.close(), 'close');
    rmSync(folder, { recursive: true, force: true });
  });
  const get = (headers: Record<string, string>, method: 'get' | 'head' = 'get'): request.Test =>
    request(url)[method]('/').set(headers);
  const opened = (): string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const target = readlinkSync(`/proc/self/fd/${fd}`);
        return target === path ? [target] : [];
      } catch {
        return [];
      }
    });

  it('says that it knows ranges, and sends all without one', async () => {
    const { body } = await get({})
      .expect(200)
      .expect('accept-ranges', 'bytes')
      .expect('content-length', `${SIZE}`);
    assert.ok(BYTES.equals(body as Buffer));
  });

  for (const [range, start, end] of [
    ['bytes=0-0', 0, 0],
    ['bytes=10-19', 10, 19],
    ['BYTES=10-19', 10, 19],
    ['bytes=2999990-', 2_999_990, SIZE - 1],
    ['bytes=2999990-99999999999999999999', 2_999_990, SIZE - 1],
    ['bytes=-7', SIZE - 7, SIZE - 1],
    ['bytes=0-', 0, SIZE - 1],
    ['bytes=-3000001', 0, SIZE - 1],
  ] as const)
    it(`sends the part ${range}, and reads no more than that`, async () => {
      const { body } = await get({ range })
        .expect(206)
        .expect('content-range', `bytes ${start}-${end}/${SIZE}`)
        .expect('content-length', `${end - start + 1}`)
        .expect('etag', TAG);
      assert.ok(BYTES.subarray(start, end + 1).equals(body as Buffer));
      assert.deepEqual(asked, [{ start, end }]);
    });

  for (const range of ['bytes=3000000-', 'bytes=3000000-3000009', 'bytes=-0', 'bytes=99999999999999999999-'])
    it(`has nothing for ${range}`, async () => {
      const { body } = await get({ range })
        .expect(416)
        .expect('content-range', `bytes */${SIZE}`)
        .expect('content-type', /problem\+json/);
      assert.equal(body.code, 'NOT_SATISFIABLE');
      assert.deepEqual(asked, []);
    });

  for (const range of [
    'bytes=0-1,5-9',
    'bytes=0-1,3000000-',
    'bytes=9-5',
    'bytes=-',
    'bytes=',
    'bytes',
    'bytes=a-b',
    'bytes=1e1-',
    'bytes=-1-2',
    'pages=1-2',
    ' ',
  ])
    it(`sends all for “${range}”`, async () => {
      await get({ range }).expect(200).expect('content-length', `${SIZE}`);
    });

  it('sends a part only of what the client has a part of', async () => {
    const range = 'bytes=0-9';
    await get({ range, 'if-range': TAG }).expect(206);
    for (const other of ['"other"', `W/${TAG}`, 'Thu, 26 Nov 2026 12:00:00 GMT'])
      await get({ range, 'if-range': other }).expect(200);
    await get({ range: 'bytes=9999999-', 'if-range': '"other"' }).expect(200);
  });

  it('knows no ranges of a head, which costs one byte', async () => {
    const { headers } = await get({ range: 'bytes=0-9' }, 'head').expect(200);
    assert.equal(headers['content-length'], `${SIZE}`);
    assert.deepEqual(asked, [{ start: 0, end: 0 }]);
    await until(() => opened().length === 0, 'the file to be closed');
  });

  it('closes the file at once when the client goes away, and calls that no error', async () => {
    const { port, hostname } = new URL(url);
    for (const head of ['', 'Range: bytes=1-\r\n']) {
      const client = connect(Number(port), hostname);
      client.write(`GET / HTTP/1.1\r\nHost: x\r\n${head}\r\n`);
      await once(client, 'readable');
      // It sends more than the sockets hold, and nobody reads: so it has stopped in the middle.
      assert.equal(opened().length, 1);
      client.destroy();
      await until(() => opened().length === 0, 'the file to be closed', 2000);
    }
    assert.deepEqual(failures, []);
  });

  it('ends the connection when there are fewer bytes than the head has promised', async () => {
    truncateSync(path, SIZE - 1);
    await assert.rejects(get({}).timeout(5000), { code: 'ECONNRESET' });
    assert.match(failures.join(), /does not have the 3000000 bytes/);
  });

  it('never sends more than that', async () => {
    writeFileSync(path, Buffer.concat([BYTES, BYTES]));
    await assert.rejects(get({}).timeout(5000), { code: 'ECONNRESET' });
  });

  it('rejects before the head when there is nothing', async () => {
    rmSync(path);
    await get({}).expect(500);
    await get({}, 'head').expect(500);
    assert.match(failures.join(), /ENOENT/);
  });
});
