import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from '@prometheus-io/client';
import type pg from 'pg';
import { createApp as createImageApi } from '../../extracted/image-api/app.ts';
import { createClean } from '../../extracted/image-api/clean.ts';
import { createBounded } from '../../extracted/image-api/bounded.ts';
import { openFiles } from '../../extracted/image-api/files.ts';
import { createRender } from '../../extracted/image-api/render.ts';
import { createRenditions } from '../../extracted/image-api/renditions.ts';
import { checkSessions } from '../../extracted/image-api/session.ts';
import { openStore } from '../../extracted/image-api/store.ts';
import { createReceive } from '../../extracted/image-api/upload.ts';
import { createApp as createMonolith } from '../../monolith/app.ts';
import { cleanUploads } from '../../monolith/images-store.ts';
import { openSessions } from '../../monolith/sessions.ts';
import { leftoversOf, type Leftovers } from './leftovers.ts';
import { listening } from './listening.ts';
import { openOwnImageApi, type OwnImageApi } from './own-image-api.ts';
import { testDatabase, testPool } from './postgres.ts';

export interface ImageSide {
  readonly url: string;
  /** Messages of what this side logged as errors. */
  readonly errors: string[];
  /** Settles what was cut off, however young it is. */
  sweep(): Promise<void>;
  /** As the owner of its tables. */
  readonly pool: pg.Pool;
  readonly table: 'images' | 'pictures';
  readonly blobDir: string;
  /** Files of its pictures' folder with their row or without, received or promised ones, rows without a file. */
  leftovers(): Promise<Leftovers>;
}

export interface ImageSides {
  readonly monolith: ImageSide;
  readonly imageApi: ImageSide;
  /** The service again, with data of its own. */
  readonly ownImageApi: OwnImageApi;
  /** As the owner of the shared tables. */
  readonly pool: pg.Pool;
  readonly blobDir: string;
  /** Connection string with the service's own role. */
  readonly imageApiDatabaseUrl: string;
  readonly databaseUrl: string;
  /** A session of a customer. Product 1 exists. */
  readonly cookie: string;
  /** Of the shared folder. */
  leftovers(): Promise<Leftovers>;
  close(): Promise<void>;
}

/** All sides of the images in this process, on real sockets, monolith and service on one database and one folder, each with the role and the limits it has in life. `pollEvery`: milliseconds between two looks at the ended sessions. */
export async function openImageSides({ pollEvery = 100 } = {}): Promise<ImageSides> {
  const database = await testDatabase({ migrate: ['monolith', 'image-api'] });
  const pool = testPool(database.url);
  const servicePool = testPool(database.urlFor('image_api'));
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
      mail: { wake: () => undefined, senderFor: async () => ({ by: 'monolith', enqueue: null }) },
      registry: new Registry(),
      isDraining: () => false,
      log: logTo(logs.monolith),
    }),
  );
  const files = openFiles(blobDir, 0);
  const bounded = createBounded({ inWork: 2, waiting: 64, patience: 10_000 });
  const store = openStore(servicePool, files);
  await store.sweep();
  const check = checkSessions({ shopUrl: monolith.url, log: logTo([]), pollEvery });
  const imageApi = await listening(
    createImageApi({
      store,
      clean: createClean({ bounded }),
      renditions: createRenditions({ render: createRender({ bounded }) }),
      receive: createReceive({ incoming: files.incoming }),
      sessions: check,
      isReady: async () => true,
      log: logTo(logs.imageApi),
    }),
  );
  const ownImageApi = await openOwnImageApi(monolith.url, { pollEvery });
  const leftovers = (): Promise<Leftovers> =>
    leftoversOf(pool, 'SELECT file FROM images', blobDir, 'products');
  const shared = { pool, table: 'images', blobDir, leftovers } as const;
  return {
    pool,
    blobDir,
    leftovers,
    ownImageApi,
    databaseUrl: database.url,
    imageApiDatabaseUrl: database.urlFor('image_api'),
    monolith: {
      ...shared,
      url: monolith.url,
      errors: logs.monolith,
      sweep: () => cleanUploads({ pool, blobDir }, 0),
    },
    imageApi: { ...shared, url: imageApi.url, errors: logs.imageApi, sweep: () => store.sweep() },
    cookie: `sid=${await sessions.issue({ id: '1', email: 'ana@example.com', name: 'Ana' })}`,
    async close() {
      check.stop();
      await ownImageApi.close();
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
