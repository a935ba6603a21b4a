/** A depot's parcels: the key is a text and a number, a name has capitals and blanks, bytes and a numeric travel under other names. */
export const PARCELS_OLD = `
  CREATE SCHEMA depot;
  CREATE DOMAIN depot.code AS text CHECK (VALUE <> '');
  CREATE TABLE depot.parcels (
    depot_code    depot.code,
    number        int,
    label         bytea,
    weight        numeric(12, 3) NOT NULL,
    "Note?"       text,
    "Times moved" int NOT NULL DEFAULT 0,
    sent          timestamptz,
    shelf         text DEFAULT 'none',
    PRIMARY KEY (depot_code, number)
  );
  INSERT INTO depot.parcels
  SELECT depot, i, decode(md5(i::text), 'hex'), i / 7.0, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'näh' || i END, 0,
         CASE i % 4 WHEN 0 THEN 'infinity' ELSE timestamptz '2026-01-01 00:00:00.000001+00' + i * interval '1.000001 s' END
  FROM unnest(ARRAY['nord', 'SÜD "1"', 'ost\\west', 'b']) AS depot, generate_series(1, 50) i`;

export const PARCELS_NEW = `
  CREATE DOMAIN code AS text CHECK (VALUE <> '');
  CREATE TABLE "Parcels" (
    number     int,
    depot_code code,
    scan       bytea,
    grams      numeric NOT NULL,
    remark     text,
    moves      int NOT NULL,
    sent_at    timestamptz,
    seen       timestamptz,
    PRIMARY KEY (number, depot_code)
  )`;

export const PARCELS = `
export default {
  name: 'parcels',
  sides: { from: 'depot', to: 'parcels-api' },
  fromTable: 'depot.parcels',
  toTable: 'Parcels',
  key: ['depot_code', 'number'],
  owner: 'depot_code',
  oldOnly: ['shelf'],
  newOnly: ['seen'],
  up({ label, weight, 'Note?': remark, 'Times moved': moves, sent, ...key }) {
    return { ...key, scan: label, grams: String(BigInt(weight.replace('.', ''))), remark, moves, sent_at: sent };
  },
  down({ scan, grams, remark, moves, sent_at, ...key }) {
    const digits = grams.padStart(4, '0');
    const weight = digits.slice(0, -3) + '.' + digits.slice(-3);
    return { ...key, label: scan, weight, 'Note?': remark, 'Times moved': moves, sent: sent_at };
  },
};
`;

/** Wide rows known by uuids; no blobs, one schema at both sides. */
export const cropsSql = (rows: number): string => `
  CREATE TABLE crops (
    id uuid PRIMARY KEY, farm uuid NOT NULL, name text NOT NULL, yield numeric(12, 4) NOT NULL, sown date, cut timestamptz,
    tags text[] NOT NULL DEFAULT '{}', facts jsonb, soil real, depth float8, wet boolean, slot int4range, remark text, plot int, row_no bigint
  );
  INSERT INTO crops
  SELECT md5('crop' || i)::uuid, md5('farm' || i % 5000)::uuid, 'Crop ' || i, i / 3.0, date '2020-01-01' + i % 2000, now() - i * interval '1 s',
         ARRAY['a' || i % 7, 'b'], jsonb_build_object('i', i, 'nested', jsonb_build_array(1, NULL, 'x')), i / 7.0, i / 9.0, i % 2 = 0,
         int4range(i, i + 10), repeat('rain ', i % 20), i % 100, i
  FROM generate_series(1, ${rows}) i`;

export const CROPS = `
export default {
  name: 'crops',
  sides: { from: 'farm', to: 'crops-api' },
  fromTable: 'crops',
  toTable: 'crops',
  key: ['id'],
  owner: 'farm',
};
`;
