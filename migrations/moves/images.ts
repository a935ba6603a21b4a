import type { MoveDescription, Row } from '../move/description.ts';

/** Where the shop has a file unless a picture says otherwise: by this the shop's file of a picture that was born in the service is named. */
const legacyFile = (product: string, id: string, kind: string): string => `products/${product}/${id}.${kind}`;

/** The pictures' move, from the shop's table to the image-api's. `down(up(row))` is `row`, and `up(down(row))` is `row` but for what is new. */
const images = {
  name: 'images',
  sides: { from: 'monolith', to: 'image-api' },
  fromTable: 'images',
  toTable: 'pictures',
  key: ['id'],
  owner: 'product_id',
  blob: { sha256: 'sha256', pathsAt: 'monolith', path: 'file' },
  newOnly: ['changed_at'],
  // It refuses what has no id.
  passive: ['zzz_needs_id'],

  up(row: Row): Row {
    const { file, content_type, bytes, created_at, ...same } = row;
    const kind = kindOf(text(content_type));
    const path = text(file);
    const isPreset = path === legacyFile(text(row['product_id']), text(row['id']), kind);
    const slash = path.lastIndexOf('/');
    return {
      ...same,
      kind,
      size: text(bytes),
      added_at: text(created_at),
      legacy_folder: isPreset || slash === -1 ? null : path.slice(0, slash),
      legacy_name: isPreset ? null : path.slice(slash + 1),
    };
  },

  down(row: Row): Row {
    const { kind, size, added_at, changed_at: _, legacy_folder, legacy_name, ...same } = row;
    const name = legacy_name ?? legacyFile(text(row['product_id']), text(row['id']), text(kind));
    return {
      ...same,
      file: typeof legacy_folder === 'string' ? `${legacy_folder}/${name}` : name,
      content_type: `image/${text(kind)}`,
      bytes: text(size),
      created_at: text(added_at),
    };
  },

  ids: {
    at: 'monolith',
    sequence: 'public.images_id_seq',
    left: 'SELECT public.picture_ids_left()',
    lease: 'SELECT public.lease_picture_ids($1, $2)',
  },
} satisfies MoveDescription;

export default images;

function kindOf(contentType: string): string {
  if (!contentType.startsWith('image/')) throw new Error(`${contentType} is no kind of picture`);
  return contentType.slice('image/'.length);
}

/** What is mapped is NOT NULL on both sides; a row that breaks this is parked with this sentence. */
function text(value: string | null | undefined): string {
  if (typeof value !== 'string') throw new Error('a column that is never empty is empty, or was not read');
  return value;
}
