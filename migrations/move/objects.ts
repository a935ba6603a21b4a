import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { literal, quote } from './columns.ts';
import type { MoveDescription } from './description.ts';
import type { Side } from './side.ts';

const TEMPLATE = readFileSync(join(import.meta.dirname, 'objects.sql'), 'utf8');

/** First key of the move's advisory locks; the second is the bucket. A hash, so that two moves in one database seldom share it; if they do, they only wait for each other. */
export function lockClass(move: string): number {
  return createHash('sha256').update(`strangler.move.${move}`).digest().readInt32BE(0);
}

/** The SQL that makes the move's objects at one side. */
export function objectsSql(description: MoveDescription, side: Pick<Side, 'name' | 'table'>): string {
  const { name, key, owner, blob, sides } = description;
  const keyOf = (row: string): string =>
    `jsonb_build_array(${key.map((column) => `${row}.${quote(column)}::text`).join(', ')})::text`;
  const values: Record<string, string> = {
    move: name,
    name: literal(name),
    side: literal(side.name),
    first_home: literal(sides.from),
    table: side.table,
    lock: String(lockClass(name)),
    new_key: keyOf('NEW'),
    old_key: keyOf('OLD'),
    new_owner: `NEW.${quote(owner)}::text`,
    old_owner: `OLD.${quote(owner)}::text`,
    new_blob: blob ? `NEW.${quote(blob.sha256)}::text` : 'NULL',
    is_old_row: key.map((column) => `t.${quote(column)} = OLD.${quote(column)}`).join(' AND '),
  };
  return TEMPLATE.replaceAll(/\{\{(\w+)\}\}/g, (_, word: string) => values[word]!);
}

/** The SQL that takes the move's objects away again; its row in strangler.move stays. */
export function dropObjectsSql(name: string, side: Pick<Side, 'table'>): string {
  const triggers = ['fence', 'mark', 'no_truncate']
    .map((what) => `DROP TRIGGER IF EXISTS zz_strangler_${name}_${what} ON ${side.table};`)
    .join('\n');
  return `${triggers}
    DROP FUNCTION IF EXISTS strangler.${name}_fence(), strangler.${name}_mark(), strangler.${name}_no_truncate(), strangler.${name}_is_home(text), strangler.${name}_is_mirrored(text[]),
      strangler.${name}_bump(text, int, boolean, text), strangler.${name}_enter(int), strangler.${name}_bucket_of(text);
    DROP TABLE IF EXISTS strangler.${name}_bucket, strangler.${name}_row_state, strangler.${name}_parked, strangler.${name}_garbage;`;
}
