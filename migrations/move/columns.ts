import { createHash } from 'node:crypto';
import type pg from 'pg';

/** A column that travels, and its type without length, so that a value that is too long fails where an explicit cast would cut it. */
export interface Column {
  readonly name: string;
  readonly type: string;
}

export interface TableShape {
  /** Quoted, with the schema. */
  readonly table: string;
  /** All but generated columns: those the other database computes itself. */
  readonly columns: readonly Column[];
  /** Changes when a column is added, dropped, renamed, or gets another type or nullability. */
  readonly fingerprint: string;
}

/** Throws when there is no such table. `name`: with its schema, else in `public`. */
export async function readShape(pool: pg.Pool, name: string): Promise<TableShape> {
  const [schema, table] = name.includes('.') ? name.split('.', 2) : ['public', name];
  const { rows } = await pool.query<{ name: string; type: string; full: string; generated: boolean }>(
    `SELECT a.attname AS name, format_type(a.atttypid, -1) AS type, a.attgenerated <> '' AS generated,
            concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated) AS full
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [schema, table],
  );
  if (rows.length === 0) throw new Error(`there is no table ${schema}.${table}`);
  const columns = rows.filter(({ generated }) => !generated).map(({ name, type }) => ({ name, type }));
  const fingerprint = createHash('sha256')
    .update(rows.map(({ full }) => full).join('\n'))
    .digest('hex');
  return { table: `${quote(schema!)}.${quote(table!)}`, columns, fingerprint };
}

/** An SQL name. */
export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** An SQL literal. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
