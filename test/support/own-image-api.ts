import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../extracted/image-api/app.ts';
import { openBlobs, type Blobs } from '../../extracted/image-api/blobs.ts';
import { createBounded } from '../../extracted/image-api/bounded.ts';
import type { Mirrored } from '../../extracted/image-api/mirrored.ts';
import { openOwnStore } from '../../extracted/image-api/own-store.ts';
import { askProducts } from '../../extracted/image-api/products.ts';
import { createRenderer } from '../../extracted/image-api/render.ts';
import { checkSessions } from '../../extracted/image-api/session.ts';
import { createReceive } from '../../extracted/image-api/upload.ts';
import type { ImageSide } from './image-sides.ts';
import { leftoversOf } from './leftovers.ts';
import { listening } from './listening.ts';
import { testDatabase, testPool } from './postgres.ts';

export interface OwnImageApi extends ImageSide {
  /** Connection string with the service's own role. */
  readonly databaseUrl: string;
  readonly blobs: Blobs;
  close(): Promise<void>;
}

/** First id of the lease that the service gets: far from those of the shop. */
export const FIRST_LEASED = 5_000_000;

/** The service with IMAGE_DATA=own in this process: its own database, a lease of ids, its own folder. Products and sessions are the shop's at `shopUrl`. */
export async function openOwnImageApi(
  shopUrl: string,
  { leased = 1_000_000, mirrored }: { leased?: number; mirrored?: Mirrored } = {},
): Promise<OwnImageApi> {
  const database = await testDatabase({ migrate: ['image-api-own'] });
  const pool = testPool(database.url);
  const servicePool = testPool(database.urlFor('image_api'));
  if (leased > 0) await pool.query('SELECT lease_picture_ids($1, $2)', [FIRST_LEASED, leased]);
  const blobDir = mkdtempSync(join(tmpdir(), 'pictures-'));
  const blobs = openBlobs(blobDir, 0);
  const store = openOwnStore({ pool: servicePool, blobs, products: askProducts({ shopUrl }) });
  const errors: string[] = [];
  const log = {
    error: (entry: { err?: Error }) => errors.push(entry.err?.message ?? 'an error'),
    warn: () => undefined,
  };
  const sessions = checkSessions({ shopUrl, log, pollEvery: 100 });
  const { server, url } = await listening(
    createApp({
      store,
      renderer: createRenderer({ bounded: createBounded({ inWork: 2, waiting: 64, patience: 10_000 }) }),
      receive: createReceive({ incoming: blobs.incoming }),
      sessions,
      mirrored,
      isReady: async () => true,
      log,
    }),
  );
  return {
    url,
    errors,
    pool,
    table: 'pictures',
    blobDir,
    blobs,
    databaseUrl: database.urlFor('image_api'),
    sweep: () => store.sweep(),
    leftovers: () =>
      leftoversOf(
        pool,
        "SELECT 'sha256/' || left(sha256, 2) || '/' || sha256 AS file FROM pictures",
        blobDir,
        'sha256',
      ),
    async close() {
      sessions.stop();
      server.closeAllConnections();
      await once(server.close(), 'close');
      await Promise.all([pool.end(), servicePool.end()]);
      await database.drop();
      rmSync(blobDir, { recursive: true, force: true });
    },
  };
}
