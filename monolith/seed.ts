import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { store } from './images.ts';
import { photograph, type Rgb, type Still } from './pictures.ts';
import { hashPassword } from './sessions.ts';

interface Item {
  readonly name: string;
  readonly description: string;
  readonly cents: number;
  readonly alt: string;
  readonly still: Still;
}

const OAK: Rgb = [0.42, 0.27, 0.15];
const ASH: Rgb = [0.62, 0.5, 0.36];
const WALNUT: Rgb = [0.22, 0.13, 0.075];
const wave = (y: number, at: number, width: number): number => Math.exp(-(((y - at) / width) ** 2));

const ITEMS: readonly Item[] = [
  {
    name: 'Fjord mug',
    description:
      'Stoneware, 300 ml, with a wide handle for cold mornings. Dishwasher-safe; every glaze runs a little differently.',
    cents: 2400,
    alt: 'A stoneware mug with a blue-green glaze on an oak table',
    still: {
      profile: (y) => 0.46 + 0.03 * wave(y, 0.4, 0.5),
      height: 1.1,
      colour: [0.55, 0.45, 0.33],
      glaze: { from: 0.32, colour: [0.1, 0.3, 0.31] },
      shine: 0.55,
      isVessel: true,
      hasHandle: true,
      wall: [0.62, 0.6, 0.55],
      table: OAK,
    },
  },
  {
    name: 'Moon vase',
    description:
      'Thrown in one piece from white clay and left unglazed outside. Holds three branches, or nothing at all.',
    cents: 6800,
    alt: 'A round white vase with a narrow neck',
    still: {
      profile: (y) =>
        Math.max(
          0.24 + 0.3 * Math.max(0, y - 1.35),
          0.88 * Math.sqrt(Math.max(0, 1 - ((y - 0.66) / 0.76) ** 2)),
        ),
      height: 1.56,
      colour: [0.78, 0.75, 0.69],
      shine: 0.08,
      isVessel: true,
      wall: [0.36, 0.42, 0.44],
      table: ASH,
    },
  },
  {
    name: 'Ember lamp',
    description: 'A table lamp of hand-blown glass. Warm light, dimmable, with a cloth cable of two metres.',
    cents: 14900,
    alt: 'A glowing glass lamp on a walnut table',
    still: {
      profile: (y) =>
        y < 0.62
          ? 0.32 - 0.24 * Math.min(1, y * 3)
          : 0.12 + 0.6 * Math.sqrt(Math.max(0, 1 - ((y - 1.2) / 0.6) ** 2)),
      height: 1.8,
      colour: [0.5, 0.3, 0.14],
      shine: 0.8,
      isVessel: false,
      wall: [0.1, 0.12, 0.13],
      table: WALNUT,
      glow: 0.75,
    },
  },
  {
    name: 'Heather bowl',
    description: 'A deep bowl for soup or fruit, with a rose glaze that breaks to brown at the rim.',
    cents: 3900,
    alt: 'A deep bowl with a rose glaze',
    still: {
      profile: (y) => 0.3 + 0.72 * Math.sqrt(Math.min(1, y / 0.8)),
      height: 0.78,
      colour: [0.47, 0.2, 0.2],
      glaze: { from: 0.64, colour: [0.25, 0.14, 0.1] },
      shine: 0.6,
      isVessel: true,
      wall: [0.66, 0.58, 0.53],
      table: OAK,
    },
  },
  {
    name: 'Reed carafe',
    description: 'One litre, in slim green stoneware. Pours without a drop, which took us eleven tries.',
    cents: 5400,
    alt: 'A slim green carafe',
    still: {
      profile: (y) => 0.44 - 0.22 * wave(y, 1.45, 0.45) + 0.05 * wave(y, 0.3, 0.4),
      height: 1.95,
      colour: [0.16, 0.27, 0.14],
      shine: 0.7,
      isVessel: true,
      wall: [0.67, 0.66, 0.58],
      table: ASH,
    },
  },
  {
    name: 'Salt jar',
    description:
      'A jar with a heavy foot that does not mind wet hands. For salt, sugar, or the last biscuits.',
    cents: 3200,
    alt: 'A small sand-coloured jar with a dark glaze',
    still: {
      profile: (y) => 0.5 + 0.1 * Math.sin(y * 3) - 0.12 * wave(y, 1.05, 0.14),
      height: 1.15,
      colour: [0.6, 0.46, 0.3],
      glaze: { from: 0.75, colour: [0.07, 0.07, 0.08] },
      shine: 0.35,
      isVessel: true,
      wall: [0.5, 0.53, 0.5],
      table: WALNUT,
    },
  },
  {
    name: 'Harbour tumbler',
    description: 'Thick blue glass from a workshop at the sea, slightly different each time. 250 ml.',
    cents: 1900,
    alt: 'A blue tumbler of thick glass',
    still: {
      profile: (y) => 0.4 + 0.06 * y,
      height: 0.95,
      colour: [0.06, 0.16, 0.34],
      shine: 1,
      isVessel: true,
      wall: [0.7, 0.69, 0.65],
      table: ASH,
    },
  },
  {
    name: 'Candle stone',
    description: 'A turned candle holder in black clay, weighty enough for a draughty room.',
    cents: 2900,
    alt: 'A black turned candle holder',
    still: {
      profile: (y) => 0.56 - 0.42 * Math.min(1, y * 1.7) + 0.2 * wave(y, 0.86, 0.16),
      height: 1.02,
      colour: [0.045, 0.045, 0.05],
      shine: 0.45,
      isVessel: false,
      wall: [0.64, 0.47, 0.36],
      table: OAK,
    },
  },
];

/** Any number that only this seed uses. */
const LOCK = 5234100917n;

/**
 * The demo customer, eight products and their pictures. Does nothing when there are products already, and any number of processes may call
 * it at once.
 */
export async function seed(pool: pg.Pool, blobDir: string): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query(`SELECT pg_advisory_lock(${LOCK})`);
    await client.query(
      'INSERT INTO users (email, name, password_hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      ['demo@example.com', 'Demo', await hashPassword('demo', randomBytes(16).toString('hex'))],
    );
    for (const item of ITEMS) await seedItem(pool, blobDir, item);
  } finally {
    await client.query(`SELECT pg_advisory_unlock(${LOCK})`);
    client.release();
  }
}

/** A product without its picture is what a seed that was cut off left; it is finished now. */
async function seedItem(
  pool: pg.Pool,
  blobDir: string,
  { name, description, cents, alt, still }: Item,
): Promise<void> {
  const known = await pool.query<{ id: string; pictures: number }>(
    'SELECT p.id, count(i.id)::int AS pictures FROM products p LEFT JOIN images i ON i.product_id = p.id WHERE p.name = $1 GROUP BY p.id ORDER BY p.id LIMIT 1',
    [name],
  );
  const found = known.rows[0];
  if (found && found.pictures > 0) return;
  const id =
    found?.id ??
    (
      await pool.query<{ id: string }>(
        'INSERT INTO products (name, description, price_cents) VALUES ($1, $2, $3) RETURNING id',
        [name, description, cents],
      )
    ).rows[0]!.id;
  mkdirSync(join(blobDir, 'incoming'), { recursive: true });
  const folder = await mkdtemp(join(blobDir, 'incoming', 'seed-'));
  try {
    await writeFile(join(folder, 'picture'), await photograph(still));
    await store({ pool, blobDir }, id, join(folder, 'picture'), alt);
  } finally {
    await rm(folder, { recursive: true });
  }
}
