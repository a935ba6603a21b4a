import type { MoveDescription, Row } from '../../../migrations/move/description.ts';

/** Pictures' columns without their bytes: some renamed, one split into two, one cut. */
const photos: MoveDescription = {
  name: 'photos',
  sides: { from: 'monolith', to: 'image-api' },
  fromTable: 'photos',
  toTable: 'pictures',
  key: ['id'],
  owner: 'product_id',
  newOnly: ['changed_at'],

  up({ file, content_type, bytes, created_at, ...same }: Row): Row {
    const slash = file!.lastIndexOf('/');
    return {
      ...same,
      kind: content_type!.slice('image/'.length),
      size: bytes!,
      added_at: created_at!,
      legacy_folder: file!.slice(0, slash),
      legacy_name: file!.slice(slash + 1),
    };
  },

  // A row of the new side, without `newOnly`.
  down({ kind, size, added_at, legacy_folder, legacy_name, ...same }: Row): Row {
    return {
      ...same,
      file: `${legacy_folder}/${legacy_name}`,
      content_type: `image/${kind}`,
      bytes: size!,
      created_at: added_at!,
    };
  },
};

export default photos;

/** The old side's table, and another like it that no move has touched. */
export const OLD = `
  CREATE TABLE photos (
    id           bigint PRIMARY KEY,
    product_id   bigint NOT NULL,
    file         text NOT NULL,
    content_type text NOT NULL,
    bytes        integer NOT NULL CHECK (bytes > 0),
    width        integer NOT NULL,
    height       integer NOT NULL,
    sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    alt          text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (file, product_id)
  );
  CREATE INDEX ON photos (product_id, id);
  CREATE TABLE plain (LIKE photos INCLUDING ALL)`;

export const NEW = `
  CREATE TABLE pictures (
    id            bigint PRIMARY KEY,
    product_id    bigint NOT NULL,
    kind          text NOT NULL,
    size          integer NOT NULL CHECK (size > 0),
    width         integer NOT NULL,
    height        integer NOT NULL,
    sha256        text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    alt           text NOT NULL DEFAULT '',
    added_at      timestamptz NOT NULL DEFAULT now(),
    legacy_folder text,
    legacy_name   text,
    changed_at    timestamptz
  );
  CREATE INDEX ON pictures (product_id, id)`;

/** Rows 1 to $1, twenty of each product. */
export const SEED = `
  SELECT i, 1 + i / 20, 'products/' || 1 + i / 20 || '/' || md5(i::text) || '.jpeg', 'image/jpeg', 10000 + i % 90000, 1600, 1200,
         encode(sha256(i::text::bytea), 'hex'), 'A picture, the ' || i || 'th, seen from the front', now() - i * interval '1 second'
  FROM generate_series(1, $1::int) i`;
