import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openImageSides, type ImageSides } from '../support/image-sides.ts';
import { openOwnImageApi, type OwnImageApi } from '../support/own-image-api.ts';
import { S3_CREDENTIALS, startS3, type S3Server } from '../support/s3-server.ts';
import { until } from '../support/until.ts';
import { imageContract } from './images.ts';
import { photo } from './pictures.ts';

describe('the service with its pictures in a bucket', () => {
  let sides: ImageSides;
  let s3: S3Server;
  let own: OwnImageApi;
  const environment = { ...process.env };
  before(async () => {
    Object.assign(process.env, S3_CREDENTIALS);
    sides = await openImageSides();
    s3 = await startS3();
    own = await openOwnImageApi(sides.monolith.url, { bucket: s3 });
  });
  after(async () => {
    await own?.close();
    await s3?.close();
    await sides?.close();
    process.env = environment;
  });
  afterEach(() => {
    s3.trouble = () => undefined;
  });
  const upload = async (width: number): Promise<Response> => {
    const body = new FormData();
    body.set('image', new Blob([new Uint8Array(await photo(width, 40))]), 'x.jpg');
    const { cookie } = sides;
    return fetch(`${own.url}/products/1/images`, { method: 'POST', headers: { cookie }, body });
  };
  const count = async (): Promise<number> =>
    (await own.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM pictures')).rows[0]!.n;

  imageContract('the image-api’s app with a bucket', { url: () => own.url, cookie: () => sides.cookie });

  it('sends parts of what is there', async () => {
    const url = own.url + (await upload(50)).headers.get('location')!;
    const whole = Buffer.from(await (await fetch(url)).arrayBuffer());
    const part = await fetch(url, { headers: { range: 'bytes=-5' } });
    assert.deepEqual([part.status, part.headers.get('content-length')], [206, '5']);
    assert.deepEqual(Buffer.from(await part.arrayBuffer()), whole.subarray(-5));
  });

  it('answers 503 while the bucket is away, leaves nothing of an upload, and goes on after', async () => {
    const location = (await upload(51)).headers.get('location')!;
    const [before, objects] = [await count(), s3.objects.size];
    s3.trouble = () => 'away';
    for (const answer of [
      await upload(52),
      await fetch(own.url + location),
      await fetch(`${own.url + location}?w=10`),
      await fetch(own.url + location, { headers: { range: 'bytes=0-1' } }),
    ]) {
      assert.equal(answer.status, 503);
      assert.equal(answer.headers.get('retry-after'), '2');
      assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    }
    assert.deepEqual([await count(), s3.objects.size], [before, objects]);
    assert.deepEqual(readdirSync(`${own.blobDir}/incoming`), []);
    s3.trouble = () => undefined;
    assert.equal((await upload(52)).status, 201);
    assert.equal((await fetch(own.url + location)).status, 200);
  });

  it('ends the connection when the bytes break off, and takes half a picture for none', async () => {
    const location = (await upload(53)).headers.get('location')!;
    s3.trouble = () => 'cut';
    await assert.rejects(fetch(own.url + location).then((answer) => answer.arrayBuffer()));
    assert.equal((await fetch(`${own.url + location}?w=10`)).status, 503);
    assert.deepEqual(readdirSync(`${own.blobDir}/incoming`), []);
  });

  it('stops reading at once when the client goes away', async () => {
    const location = (await upload(55)).headers.get('location')!;
    const size = 40_000_000;
    const { rows } = await own.pool.query<{ sha256: string }>(
      'UPDATE pictures SET size = $1 WHERE id = $2 RETURNING sha256',
      [size, location.split('/')[2]],
    );
    const key = [...s3.objects.keys()].find((each) => each.endsWith(rows[0]!.sha256))!;
    s3.objects.set(key, { bytes: Buffer.alloc(size), writtenAt: Date.now() });
    const before = s3.abandoned();
    const { hostname, port } = new URL(own.url);
    const client = connect(Number(port), hostname);
    client.write(`GET ${location} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await once(client, 'readable');
    assert.equal(s3.abandoned(), before, 'it is in the middle: nobody has read that much');
    client.destroy();
    await until(() => s3.abandoned() === before + 1, 'the bucket to be left');
    assert.deepEqual(own.errors, []);
  });

  it('is a process like any other, told by BLOB_URL', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'image-api-'));
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../extracted/image-api/main.ts')], {
      env: {
        ...process.env,
        IMAGE_API_PORT: '0',
        IMAGE_DATA: 'own',
        IMAGE_DATABASE_URL: own.databaseUrl,
        BLOB_URL: s3.urlOf('shop'),
        DATA_DIR: dataDir,
        SHOP_URL: sides.monolith.url,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    try {
      const location = (await upload(56)).headers.get('location')!;
      const port = (): string | undefined => /"port":(\d+)/.exec(output)?.[1];
      await until(() => port() !== undefined, 'the service to start', 25_000);
      const url = `http://127.0.0.1:${port()}${location}`;
      assert.equal((await fetch(url, { headers: { range: 'bytes=1-3' } })).status, 206);
      s3.trouble = () => 'away';
      assert.equal((await fetch(url)).status, 503);
      await until(() => output.includes('the bucket of the pictures is away'), 'the reason in the log');
      assert.doesNotMatch(output, /test-secret/);
    } finally {
      child.kill('SIGTERM');
      assert.equal((await exited)[0], 0);
      rmSync(dataDir, { recursive: true, force: true });
    }
  });

  it('collects the object of a picture that was deleted', async () => {
    const location = (await upload(54)).headers.get('location')!;
    const { cookie } = sides;
    const before = s3.objects.size;
    await own.sweep();
    assert.ok(s3.objects.size <= before);
    const kept = s3.objects.size;
    assert.equal((await fetch(own.url + location, { method: 'DELETE', headers: { cookie } })).status, 204);
    await own.sweep();
    assert.equal(s3.objects.size, kept - 1);
    assert.deepEqual(own.errors, []);
  });
});
