/** A row as text by column, as Postgres writes it: a number or a date made of it would not come back the same. */
export type Row = Readonly<Record<string, string | null>>;

/** Where the shop has a file unless a picture says otherwise: by this the shop's file of a picture that was born in the service is named. */
const legacyFile = (product: string, id: string, kind: string): string => `products/${product}/${id}.${kind}`;

/** The pictures' move, from the shop's table to the image-api's. `down(up(row))` is `row`, and `up(down(row))` is `row` but for what is `kept`. */
export const images = {
  name: 'images',
  from: { side: 'monolith', table: 'images', key: 'id', owner: 'product_id' },
  to: { side: 'image-api', table: 'pictures', key: 'id', owner: 'product' },

  up(row: Row): Row {
    const { id, product_id, file, content_type, bytes, width, height, sha256, alt, created_at } = row;
    const kind = kindOf(text(content_type));
    const path = text(file);
    const isPreset = path === legacyFile(text(product_id), text(id), kind);
    const slash = path.lastIndexOf('/');
    return {
      id: text(id),
      product: text(product_id),
      kind,
      size: text(bytes),
      width: text(width),
      height: text(height),
      blob: `\\x${text(sha256)}`,
      alt: text(alt),
      added_at: text(created_at),
      legacy_folder: isPreset || slash === -1 ? null : path.slice(0, slash),
      legacy_name: isPreset ? null : path.slice(slash + 1),
    };
  },

  down(row: Row): Row {
    const { id, product, kind, size, width, height, blob, alt, added_at, legacy_folder, legacy_name } = row;
    const name = legacy_name ?? legacyFile(text(product), text(id), text(kind));
    return {
      id: text(id),
      product_id: text(product),
      file: typeof legacy_folder === 'string' ? `${legacy_folder}/${name}` : name,
      content_type: `image/${text(kind)}`,
      bytes: text(size),
      width: text(width),
      height: text(height),
      sha256: text(blob).slice('\\x'.length),
      alt: text(alt),
      created_at: text(added_at),
    };
  },

  /** Ids of new rows: taken from the old side's sequence, one by one, and leased in runs ($1 the first, $2 how many) to the new side. */
  ids: {
    sequence: 'images_id_seq',
    left: 'SELECT picture_ids_left()',
    lease: 'SELECT lease_picture_ids($1, $2)',
  },

  /** Columns of the new table that no row of the old one can speak for: what is in them stays. */
  kept: ['changed_at'],

  /** The blob of a row of the old table: its path below that side's folder, and its bytes' SHA-256, by which the new side keeps it. */
  blob: (row: Row): { readonly path: string; readonly sha256: string } => ({
    path: text(row['file']),
    sha256: text(row['sha256']),
  }),
} as const;

function kindOf(contentType: string): string {
  if (!contentType.startsWith('image/')) throw new Error(`${contentType} is no kind of picture`);
  return contentType.slice('image/'.length);
}

/** All mapped columns are NOT NULL on both sides; a row that breaks this is parked with this sentence. */
function text(value: string | null | undefined): string {
  if (typeof value !== 'string') throw new Error('a column that is never empty is empty, or was not read');
  return value;
}
