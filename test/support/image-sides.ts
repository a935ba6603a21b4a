import { once } from 'node:events';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from '@prometheus-io/client';
import type pg from 'pg';
import { createApp as createImageApi } from '../../extracted/image-api/app.ts';
import { createBounded } from '../../extracted/image-api/bounded.ts';
import { openFiles } from '../../extracted/image-api/files.ts';
import { createRenderer } from '../../extracted/image-api/render.ts';
import { checkSessions } from '../../extracted/image-api/session.ts';
import { openStore } from '../../extracted/image-api/store.ts';
import { createReceive } from '../../extracted/image-api/upload.ts';
import { createApp as createMonolith } from '../../monolith/app.ts';
import { cleanUploads } from '../../monolith/images-store.ts';
import { openSessions } from '../../monolith/sessions.ts';
import { testDatabase, testPool } from './postgres.ts';

export interface ImageSide {
  readonly url: string;
  /** Messages of what this side logged as errors. */
  readonly errors: string[];
  /** Settles what was cut off, however young it is. */
  sweep(): Promise<void>;
}

export interface ImageSides {
  readonly monolith: ImageSide;
  readonly imageApi: ImageSide;
  /** As the owner of the tables. */
  readonly pool: pg.Pool;
  readonly blobDir: string;
  /** Connection string with the service's own role. */
  readonly imageApiDatabaseUrl: string;
  readonly databaseUrl: string;
  /** A session of a customer. Product 1 exists. */
  readonly cookie: string;
  /** What lies in the blob folder: files with their row or without, received or promised ones, rows without a file. */
  leftovers(): Promise<{ incoming: string[]; withoutRow: string[]; withoutFile: string[] }>;
  close(): Promise<void>;
}

/** Both sides of the images in this process, on real sockets, one database and one folder, each with the role and the limits it has in life. */
export async function openImageSides(): Promise<ImageSides> {
  const database = await testDatabase({ migrate: ['monolith', 'image-api'] });
  const pool = testPool(database.url);
  const servicePool = testPool(database.urlFor('image_api'));
  // Tests end connections on purpose.
  for (const each of [pool, servicePool]) each.on('error', () => undefined);
  const blobDir = mkdtempSync(join(tmpdir(), 'images-'));
  await pool.query("INSERT INTO products (name, price_cents) VALUES ('Lantern', 1250)");
  const sessions = await openSessions(pool);
  const logs = { monolith: [] as string[], imageApi: [] as string[] };
  const logTo = (errors: string[]) => ({
    error: (entry: { err?: Error }) => errors.push(entry.err?.message ?? 'an error'),
    warn: () => undefined,
  });

  const monolith = await listening(
    createMonolith({
      pool,
      blobDir,
      sessions,
      mail: { wake: () => undefined },
      registry: new Registry(),
      isDraining: () => false,
      log: logTo(logs.monolith),
    }),
  );
  const files = openFiles(blobDir, 0);
  const store = openStore(servicePool, files);
  await store.sweep();
  const check = checkSessions({ shopUrl: monolith.url, log: logTo([]), pollEvery: 100 });
  const imageApi = await listening(
    createImageApi({
      store,
      renderer: createRenderer({ bounded: createBounded({ inWork: 2, waiting: 64, patience: 10_000 }) }),
      receive: createReceive({ incoming: files.incoming }),
      sessions: check,
      isReady: async () => true,
      log: logTo(logs.imageApi),
    }),
  );
  return {
    pool,
    blobDir,
    databaseUrl: database.url,
    imageApiDatabaseUrl: database.urlFor('image_api'),
    monolith: {
      url: monolith.url,
      errors: logs.monolith,
      sweep: () => cleanUploads({ pool, blobDir }, 0),
    },
    imageApi: { url: imageApi.url, errors: logs.imageApi, sweep: () => store.sweep() },
    cookie: `sid=${await sessions.issue({ id: '1', email: 'ana@example.com', name: 'Ana' })}`,
    async leftovers() {
      const { rows } = await pool.query<{ file: string }>('SELECT file FROM images');
      const named = new Set(rows.map(({ file }) => file));
      const there = globSync('products/*/*', { cwd: blobDir });
      return {
        incoming: globSync('incoming/*', { cwd: blobDir }),
        withoutRow: there.filter((file) => !named.has(file)),
        withoutFile: [...named].filter((file) => !there.includes(file)),
      };
    },
    async close() {
      check.stop();
      for (const { server } of [imageApi, monolith]) {
        server.closeAllConnections();
        await once(server.close(), 'close');
      }
      await Promise.all([pool.end(), servicePool.end()]);
      await database.drop();
      rmSync(blobDir, { recursive: true, force: true });
    },
  };
}

async function listening(app: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
