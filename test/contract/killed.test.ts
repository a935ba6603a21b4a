import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { openImageSides, type ImageSide, type ImageSides } from '../support/image-sides.ts';
import { freePorts } from '../../tools/processes.ts';
import { until } from '../support/until.ts';
import { photo } from './pictures.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const ROUNDS = 3;

/** kill -9 in the middle of uploads and deletions: rows and files agree when the process is back, whatever it was doing. */
describe('images of a process that is killed', function () {
  this.timeout(60_000);
  let sides: ImageSides;
  let picture: Buffer;
  let child: ChildProcess | null = null;
  before(async () => {
    sides = await openImageSides();
    picture = await photo(900, 700);
  });
  afterEach(() => child?.kill('SIGKILL'));
  after(() => sides?.close());

  /** Starts a process on the sides' database and folder; resolves with its URL when it serves. */
  async function start(entry: string, env: (port: number) => NodeJS.ProcessEnv): Promise<string> {
    const [port] = (await freePorts(1)) as [number];
    child = spawn(process.execPath, [join(ROOT, entry)], {
      env: {
        ...process.env,
        BLOB_URL: `file:${sides.blobDir}`,
        HOST: '127.0.0.1',
        LOG_LEVEL: 'info',
        ...env(port),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const url = `http://127.0.0.1:${port}`;
    const isReady = (): Promise<boolean> =>
      fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until(isReady, () => `${entry} to be ready; it says ${output}`, 25_000);
    return url;
  }

  async function uploadOne(url: string): Promise<string> {
    const body = new FormData();
    body.set('image', new Blob([new Uint8Array(picture)]), 'x.jpg');
    const { cookie } = sides;
    const response = await fetch(`${url}/products/1/images`, { method: 'POST', headers: { cookie }, body });
    assert.equal(response.status, 201);
    return response.headers.get('location')!;
  }

  /** Uploads and deletes until the process dies; tells of each upload that was acknowledged and not deleted. */
  async function busy(url: string, kept: Set<string>): Promise<void> {
    const { cookie } = sides;
    try {
      for (let n = 0; ; n++) {
        const location = await uploadOne(url);
        if (n % 2 === 0) kept.add(location);
        else await fetch(url + location, { method: 'DELETE', headers: { cookie } });
      }
    } catch (error) {
      // The connection ends with the process; everything else is a failure.
      if (error instanceof assert.AssertionError) throw error;
    }
  }

  for (const [name, entry, side, env, settle] of [
    [
      'image-api',
      'extracted/image-api/main.ts',
      (): ImageSide => sides.imageApi,
      (port: number) => ({
        IMAGE_API_PORT: String(port),
        IMAGE_DATABASE_URL: sides.imageApiDatabaseUrl,
        SHOP_URL: sides.monolith.url,
        IMAGE_API_STALE_UPLOAD_MS: '0',
      }),
      // Its own start settles what the one before left.
      async () => undefined,
    ],
    [
      'image-api with its own data',
      'extracted/image-api/main.ts',
      (): ImageSide => sides.ownImageApi,
      (port: number) => ({
        IMAGE_API_PORT: String(port),
        IMAGE_DATA: 'own',
        IMAGE_DATABASE_URL: sides.ownImageApi.databaseUrl,
        BLOB_URL: `file:${sides.ownImageApi.blobDir}`,
        SHOP_URL: sides.monolith.url,
      }),
      () => sides.ownImageApi.sweep(),
    ],
    [
      'monolith',
      'monolith/main.ts',
      (): ImageSide => sides.monolith,
      (port: number) => ({ MONOLITH_PORT: String(port), DATABASE_URL: sides.databaseUrl }),
      () => sides.monolith.sweep(),
    ],
  ] as const) {
    it(`leaves rows and files in agreement: ${name}`, async () => {
      const kept = new Set<string>();
      for (let round = 0; round < ROUNDS; round++) {
        const url = await start(entry, env);
        const already = kept.size;
        const work = Array.from({ length: 4 }, () => busy(url, kept));
        // Each round ends at another moment of the work.
        await until(() => kept.size > already + round, 'uploads to be acknowledged');
        const exited = once(child!, 'exit');
        child!.kill('SIGKILL');
        await Promise.all([exited, ...work]);
        assert.deepEqual((await side().leftovers()).withoutFile, [], 'a row without its file');
      }
      const url = await start(entry, env);
      await settle();
      assert.deepEqual(await side().leftovers(), { incoming: [], withoutRow: [], withoutFile: [] });
      for (const location of kept) {
        const response = await fetch(url + location);
        assert.equal(response.status, 200, `${location} was acknowledged`);
        await response.arrayBuffer();
      }
    });
  }
});
