import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../extracted/image-api/app.ts';
import { openBlobLocks } from '../../extracted/image-api/blob-locks.ts';
import { openBlobFolder, type BlobFolder } from '../../extracted/image-api/blobs-file.ts';
import { openS3Blobs } from '../../extracted/image-api/blobs-s3.ts';
import { createClean } from '../../extracted/image-api/clean.ts';
import { createBounded } from '../../extracted/image-api/bounded.ts';
import type { Mirrored } from '../../extracted/image-api/mirrored.ts';
import { openOwnStore } from '../../extracted/image-api/own-store.ts';
import { askProducts } from '../../extracted/image-api/products.ts';
import { createRender } from '../../extracted/image-api/render.ts';
import { createRenditions } from '../../extracted/image-api/renditions.ts';
import { openS3Store } from '../../extracted/image-api/s3-store.ts';
import { readS3Url } from '../../extracted/image-api/s3-url.ts';
import { checkSessions } from '../../extracted/image-api/session.ts';
import { createReceive } from '../../extracted/image-api/upload.ts';
import type { ImageSide } from './image-sides.ts';
import { leftoversOf } from './leftovers.ts';
import { listening } from './listening.ts';
import type { S3Server } from './s3-server.ts';
import { testDatabase, testPool } from './postgres.ts';

export interface OwnImageApi extends ImageSide {
  /** Connection string with the service's own role. */
  readonly databaseUrl: string;
  readonly blobs: BlobFolder;
  close(): Promise<void>;
}

/** First id of the lease that the service gets: far from those of the shop. */
export const FIRST_LEASED = 5_000_000;

/** The service with IMAGE_DATA=own in this process: its own database, a lease of ids, its own folder. Products and sessions are the shop's at `shopUrl`. */
export async function openOwnImageApi(
  shopUrl: string,
  {
    leased = 1_000_000,
    mirrored,
    bucket,
    pollEvery = 100,
  }: {
    leased?: number;
    mirrored?: Mirrored;
    /** Where its blobs are instead of the folder. */
    bucket?: S3Server;
    /** Milliseconds between two looks at the ended sessions. */
    pollEvery?: number;
  } = {},
): Promise<OwnImageApi> {
  const database = await testDatabase({ migrate: ['image-api-own'] });
  const pool = testPool(database.url);
  const servicePool = testPool(database.urlFor('image_api'));
  if (leased > 0) await pool.query('SELECT lease_picture_ids($1, $2)', [FIRST_LEASED, leased]);
  const blobDir = mkdtempSync(join(tmpdir(), 'pictures-'));
  const blobs = openBlobFolder(blobDir, 0);
  const bounded = createBounded({ inWork: 2, waiting: 64, patience: 10_000 });
  const s3 =
    bucket &&
    openS3Store(
      readS3Url('BLOB_URL', bucket.urlOf('shop'), undefined),
      { connect: 1000, answer: 5000 },
      () => undefined,
    );
  const ownBlobs = s3
    ? openS3Blobs({
        store: s3,
        locks: openBlobLocks(servicePool),
        incoming: blobs.incoming,
        grace: 0,
      })
    : blobs;
  const store = openOwnStore({ pool: servicePool, blobs: ownBlobs, products: askProducts({ shopUrl }) });
  const errors: string[] = [];
  const log = {
    error: (entry: { err?: Error }) => errors.push(entry.err?.message ?? 'an error'),
    warn: () => undefined,
  };
  const sessions = checkSessions({ shopUrl, log, pollEvery });
  const { server, url } = await listening(
    createApp({
      store,
      clean: createClean({ bounded }),
      renditions: createRenditions({ render: createRender({ bounded }) }),
      receive: createReceive({ incoming: blobs.incoming, destination: ownBlobs.destination }),
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
      s3?.close();
      server.closeAllConnections();
      await once(server.close(), 'close');
      await Promise.all([pool.end(), servicePool.end()]);
      await database.drop();
      rmSync(blobDir, { recursive: true, force: true });
    },
  };
}
