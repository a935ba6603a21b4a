import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { photo } from '../../test/contract/pictures.ts';
import { openImageSides, type ImageSides } from '../../test/support/image-sides.ts';
import { until } from '../../test/support/until.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

interface Run {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  output(): string;
  /** Where it serves, as soon as it does. */
  url(): Promise<string>;
}

describe('the image-api as a process', function () {
  this.timeout(60_000);
  let sides: ImageSides;
  let dir: string;
  const runs: Run[] = [];
  before(async () => {
    sides = await openImageSides();
    dir = mkdtempSync(join(tmpdir(), 'image-api-'));
  });
  after(async () => {
    for (const { child } of runs) child.kill('SIGKILL');
    await sides?.close();
    rmSync(dir, { recursive: true, force: true });
  });
  function run(env: NodeJS.ProcessEnv): Run {
    const child = spawn(process.execPath, [MAIN], {
      env: {
        ...process.env,
        IMAGE_API_PORT: '0',
        IMAGE_DATABASE_URL: sides.imageApiDatabaseUrl,
        DATA_DIR: dir,
        LOG_LEVEL: 'info',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const exited = once(child, 'close').then(([code]) => code as number | null);
    const port = (): string | undefined => /"port":(\d+),"msg":"the image-api serves"/.exec(output)?.[1];
    const started: Run = {
      child,
      exited,
      output: () => output,
      async url() {
        await until(
          () => port() !== undefined,
          () => `the service to start; it says ${output}`,
          25_000,
        );
        return `http://127.0.0.1:${port()}`;
      },
    };
    runs.push(started);
    return started;
  }

  it('starts and serves without the shop, and counts what it answers', async () => {
    const { url, child, exited } = run({ SHOP_URL: 'http://127.0.0.1:1' });
    const base = await url();
    for (const path of ['/livez', '/readyz', '/products/1/images', '/images/1?w=1', '/images/x'])
      await (await fetch(base + path)).arrayBuffer();
    // It counts when its answer has gone out, which may be a moment after we have it.
    let metrics = '';
    for (const line of [
      'image_api_requests_total{method="GET",route="/livez",status="200"} 1',
      'image_api_requests_total{method="GET",route="/readyz",status="200"} 1',
      'image_api_requests_total{method="GET",route="/products/:product/images",status="200"} 1',
      'image_api_requests_total{method="GET",route="/images/:id",status="404"} 2',
    ])
      await until(
        async () => (metrics = await (await fetch(`${base}/metrics`)).text()).includes(line),
        () => `${line} in ${metrics}`,
      );
    child.kill('SIGTERM');
    assert.equal(await exited, 0);
  });

  it('finishes what is in flight after SIGTERM, and takes nothing new', async () => {
    const { url, child, exited, output } = run({ SHOP_URL: sides.monolith.url });
    const base = await url();
    const upload = request(`${base}/products/1/images`, {
      method: 'POST',
      headers: { cookie: sides.cookie, 'content-type': 'multipart/form-data; boundary=b' },
    });
    const answer = once(upload, 'response') as Promise<[IncomingMessage]>;
    upload.write('--b\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\nGIF');
    await until(
      async () => /requests_in_flight 2/.test(await (await fetch(`${base}/metrics`)).text()),
      'the upload to arrive',
    );
    child.kill('SIGTERM');
    const isClosed = (): Promise<boolean> =>
      fetch(`${base}/livez`).then(
        () => false,
        () => true,
      );
    await until(isClosed, 'the port to be closed');
    upload.end('89\r\n--b--\r\n');
    const [response] = await answer;
    assert.equal(response.statusCode, 415, output());
    assert.equal(response.headers['connection'], 'close');
    response.resume();
    assert.equal(await exited, 0);
  });

  it('tells with a write to its own data what the given query says of it', async () => {
    const { url, child, exited, output } = run({
      IMAGE_DATA: 'own',
      IMAGE_DATABASE_URL: sides.ownImageApi.databaseUrl,
      IMAGE_MIRRORED_SQL: "SELECT $1::text <> ''",
      SHOP_URL: sides.monolith.url,
    });
    const body = new FormData();
    body.set('image', new Blob([new Uint8Array(await photo(20, 20))]), 'x.jpg');
    const { cookie } = sides;
    const response = await fetch(`${await url()}/products/1/images`, {
      method: 'POST',
      headers: { cookie },
      body,
    });
    assert.equal(response.status, 201, output());
    assert.equal(response.headers.get('strangler-mirrored'), '1');
    child.kill('SIGTERM');
    assert.equal(await exited, 0);
  });

  it('cuts off what does not finish in time', async () => {
    const { url, child, exited } = run({ SHOP_URL: sides.monolith.url, IMAGE_API_DRAIN_MS: '50' });
    const base = await url();
    const upload = request(`${base}/products/1/images`, {
      method: 'POST',
      headers: { cookie: sides.cookie, 'content-type': 'multipart/form-data; boundary=b' },
    });
    const failed = once(upload, 'error');
    upload.write('--b\r\n');
    await until(
      async () => /requests_in_flight 2/.test(await (await fetch(`${base}/metrics`)).text()),
      'the upload to arrive',
    );
    child.kill('SIGTERM');
    assert.equal(await exited, 0);
    await failed;
  });

  it('ends at once, with one sentence, when it can not start', async () => {
    const wrong = run({ IMAGE_API_PORT: 'x' });
    assert.equal(await wrong.exited, 2);
    assert.equal(wrong.output(), 'IMAGE_API_PORT=x is not a whole number from 0 to 65535\n');
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    const second = run({ IMAGE_API_PORT: String(port), SHOP_URL: sides.monolith.url });
    assert.equal(await second.exited, 1);
    assert.match(second.output(), new RegExp(`port ${port} is taken; set IMAGE_API_PORT to another`));
    await once(holder.close(), 'close');
  });

  it('is not ready without its database', async () => {
    const { url, child, exited } = run({ IMAGE_DATABASE_URL: 'postgres://127.0.0.1:1/none' });
    const base = await url();
    assert.equal((await fetch(`${base}/readyz`)).status, 503);
    assert.equal((await fetch(`${base}/livez`)).status, 200);
    child.kill('SIGTERM');
    assert.equal(await exited, 0);
  });
});
