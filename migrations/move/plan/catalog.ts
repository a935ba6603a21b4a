import type pg from 'pg';
import type { ColumnFacts, Facts, ForeignKeyFacts, TableFacts, UniqueFacts } from './facts.ts';

/** Reads the facts of one side, in the caller's transaction. `name`: with its schema, else in `public`. */
export async function readFacts(client: pg.ClientBase, name: string): Promise<Facts> {
  const { rows } = await client.query<Omit<Facts, 'table'>>(`
    SELECT current_database() || ' since ' || pg_postmaster_start_time() AS database, current_user AS role,
           current_setting('server_encoding') AS encoding,
           coalesce(has_schema_privilege((SELECT oid FROM pg_namespace WHERE nspname = 'strangler'), 'CREATE'),
                    has_database_privilege(current_database(), 'CREATE')) AS "mayCreateSchema"`);
  return { ...rows[0]!, table: await readTable(client, name) };
}

async function readTable(client: pg.ClientBase, name: string): Promise<TableFacts | null> {
  const [schema, table] = name.includes('.') ? name.split('.', 2) : ['public', name];
  const ask = async <Row extends pg.QueryResultRow>(
    sql: string,
    value: unknown = oid,
  ): Promise<readonly Row[]> => (await client.query<Row>(sql, [value])).rows;
  const list = async (sql: string): Promise<readonly string[]> =>
    (await ask<{ name: string }>(sql)).map(({ name }) => name);
  const { rows } = await client.query<
    { oid: string } & Omit<
      TableFacts,
      'parents' | 'children' | 'columns' | 'uniques' | 'incoming' | 'outgoing' | 'triggers' | 'rules'
    >
  >(
    `SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS sql, c.relkind AS kind, c.relpersistence AS persistence,
            c.relispartition AS "isPartition", pg_get_userbyid(c.relowner) AS owner, pg_has_role(c.relowner, 'USAGE') AS "isOurs",
            has_table_privilege(c.oid, 'SELECT') AS "maySelect", c.relrowsecurity AS "rowSecurity"
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`,
    [schema, table],
  );
  if (rows.length === 0) return null;
  const { oid, ...own } = rows[0]!;
  return {
    ...own,
    parents: await list('SELECT inhparent::regclass::text AS name FROM pg_inherits WHERE inhrelid = $1'),
    children: await list('SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1'),
    columns: await ask<ColumnFacts & pg.QueryResultRow>(COLUMNS),
    uniques: await ask<UniqueFacts & pg.QueryResultRow>(UNIQUES),
    incoming: await ask<ForeignKeyFacts & pg.QueryResultRow>(foreignKeys('confrelid', 'conrelid')),
    outgoing: await ask<ForeignKeyFacts & pg.QueryResultRow>(foreignKeys('conrelid', 'confrelid')),
    triggers: await ask<{ name: string; calls: string }>(TRIGGERS),
    rules: await list(
      `SELECT rulename AS name FROM pg_rewrite WHERE ev_class = $1 AND rulename <> '_RETURN' AND ev_enabled <> 'D' ORDER BY 1`,
    ),
  };
}

const COLUMNS = `
  WITH RECURSIVE below (top, oid) AS (
    SELECT atttypid, atttypid FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
    UNION SELECT b.top, t.typbasetype FROM below b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd'
  ), inside (top, oid) AS (
    SELECT top, top FROM below
    UNION SELECT i.top, part.oid FROM inside i JOIN pg_type t ON t.oid = i.oid, LATERAL (
      SELECT t.typbasetype AS oid UNION ALL SELECT t.typelem WHERE t.typcategory = 'A' UNION ALL SELECT rngsubtype FROM pg_range WHERE t.oid IN (rngtypid, rngmultitypid)
      UNION ALL SELECT atttypid FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped) part WHERE part.oid <> 0)
  SELECT a.attname AS name, format_type(base.oid, NULL) AS type, format_type(a.atttypid, a.atttypmod) AS full, base.typtype AS kind, 
         -- Such a constraint says nothing of rows that were there before it.
         a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = a.attrelid AND contype = 'n' AND conkey = ARRAY[a.attnum] AND NOT convalidated) AS "notNull",
         ARRAY(SELECT DISTINCT format_type(i.oid, NULL) FROM inside i WHERE i.top = a.atttypid ORDER BY 1) AS "madeOf",
         coalesce((SELECT collisdeterministic FROM pg_collation WHERE oid = a.attcollation), true) AS deterministic,
         a.attgenerated <> '' AS generated, a.attidentity AS identity, a.atthasdef AND a.attgenerated = '' AS "hasDefault",
         s.oid::regclass::text AS sequence, coalesce(has_sequence_privilege(s.oid, 'USAGE'), true) AS "mayUseSequence"
  FROM pg_attribute a
  JOIN below b ON b.top = a.atttypid JOIN pg_type base ON base.oid = b.oid AND base.typtype <> 'd'
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  -- An identity owns its sequence; a default, with or without OWNED BY, depends on it.
  LEFT JOIN LATERAL (
    SELECT c.oid FROM pg_class c JOIN pg_depend p ON c.relkind = 'S'
     AND ((p.classid = 'pg_class'::regclass AND p.objid = c.oid AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND p.deptype = 'i')
       OR (p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refobjid = c.oid AND p.refclassid = 'pg_class'::regclass))
    LIMIT 1) s ON true
  WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`;

const UNIQUES = `
  SELECT i.indexrelid::regclass::text AS name, i.indisprimary AS "isPrimary", i.indisexclusion AS "isExclusion", NOT i.indimmediate AS "isDeferrable",
         0 = ANY (i.indkey::int[]) AS "hasExpression",
         ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int[]) WITH ORDINALITY k (attnum, place)
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS columns
  FROM pg_index i WHERE i.indrelid = $1 AND (i.indisunique OR i.indisexclusion) ORDER BY 1`;

const TRIGGERS = `
  SELECT tgname AS name, tgfoid::regproc::text AS calls FROM pg_trigger
  WHERE tgrelid = $1 AND NOT tgisinternal AND tgenabled <> 'D' AND tgname !~ '^(zz_)?strangler_' ORDER BY 1`;

function foreignKeys(here: 'conrelid' | 'confrelid', there: 'conrelid' | 'confrelid'): string {
  const action = (column: string): string =>
    `CASE ${column} WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' WHEN 'r' THEN 'RESTRICT' ELSE 'NO ACTION' END`;
  return `
    SELECT conname AS name, ${there}::regclass::text AS table, ${action('confdeltype')} AS "onDelete", ${action('confupdtype')} AS "onUpdate",
           pg_get_constraintdef(oid) AS definition,
           ARRAY(SELECT a.attname::text FROM unnest(conkey) WITH ORDINALITY k (attnum, place)
                 JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.attnum ORDER BY k.place) AS columns
    FROM pg_constraint WHERE ${here} = $1 AND contype = 'f' AND conparentid = 0 ORDER BY 1`;
}
