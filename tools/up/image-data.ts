import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { migrate } from '../../migrations/migrate.ts';
import { openMove } from '../../migrations/move/side.ts';
import { start } from '../../migrations/move/start.ts';
import images from '../../migrations/moves/images.ts';
import type { Settings } from './settings.ts';

/**
 * Whose the pictures' data is: `shared` by monolith and service, `moving` to the service's own database with both sides serving, or the service's `own`, when
 * the move was completed. As `data:` in strangler.yaml.
 */
export type ImageData = 'shared' | 'moving' | 'own';

/** From what the shop's database says of the move, and IMAGE_DATA (null: not set). Rejects where `shared` would leave pictures behind. */
export async function imageDataOf(shopUrl: string, wish: Settings['imageData']): Promise<ImageData> {
  const pool = new pg.Pool({ connectionString: shopUrl, max: 1 });
  try {
    const { rows: tables } = await pool.query<{ there: boolean }>(
      "SELECT to_regclass('strangler.move') IS NOT NULL AS there",
    );
    const { rows } = tables[0]!.there
      ? await pool.query<{ phase: string; startsAt: string }>(
          `SELECT phase, starts_at AS "startsAt" FROM strangler.move WHERE name = $1`,
          [images.name],
        )
      : { rows: [] };
    const [move] = rows;
    const isOver = move?.phase === 'contracted';
    if (!move || (isOver && move.startsAt !== images.sides.from)) return wish === 'own' ? 'moving' : 'shared';
    const isForward = move.startsAt === images.sides.from;
    if (wish === 'shared' && isOver)
      throw new Error(
        'IMAGE_DATA=shared, but the pictures were moved to the image-api: start without it, and bring them back first (strangler move start images --swapped)',
      );
    if (wish === 'shared') {
      const { rows: homes } = await pool.query<{ away: number }>(
        'SELECT count(*)::int AS away FROM strangler.images_bucket WHERE home <> $1 OR moving',
        [images.sides.from],
      );
      if (homes[0]!.away > 0)
        throw new Error(
          `IMAGE_DATA=shared, but ${homes[0]!.away} of 1024 buckets of pictures have their home at the image-api: start without it, and bring them back first (strangler move reverse images)`,
        );
      return 'shared';
    }
    return isForward && (isOver || move.phase === 'complete') ? 'own' : 'moving';
  } finally {
    await pool.end();
  }
}

/** The service's own schema; while data moves, the move's objects too. */
export async function prepareOwnData(
  data: 'moving' | 'own',
  shopUrl: string,
  ownUrl: string,
  { blobDir, ownBlobs }: Pick<Settings, 'blobDir' | 'ownBlobs'>,
): Promise<string[]> {
  const migrated = await migrate({ url: ownUrl, set: 'image-api-own' });
  if (data === 'moving') {
    const move = await openMove(images, {
      from: shopUrl,
      to: ownUrl,
      blobs: { legacy: blobDir, own: ownBlobs },
    });
    try {
      await start(move);
    } finally {
      await move.close();
    }
  }
  return migrated;
}

/** Tells `strangler move` where the two sides are, and the command for dead letters where they lie. Only for the embedded server, whose URLs hold no secret. */
export function leavePlaces(
  { dataDir, blobUrl, ownBlobUrl }: Pick<Settings, 'dataDir' | 'blobUrl' | 'ownBlobUrl'>,
  emailApiUrl: string,
  pictures: { readonly shop: string; readonly own: string } | null,
): void {
  const places = {
    EMAIL_DATABASE_URL: emailApiUrl,
    ...(pictures && {
      DATABASE_URL: pictures.shop,
      IMAGE_DATABASE_URL: pictures.own,
      BLOB_URL: blobUrl,
      IMAGE_BLOB_URL: ownBlobUrl,
    }),
  };
  writeFileSync(join(dataDir, 'databases.json'), `${JSON.stringify(places, null, 2)}\n`, { mode: 0o600 });
}
