import assert from 'node:assert/strict';
import type pg from 'pg';
import { stranger, type Stranger } from '../support/stranger.ts';

/** Column → type and the values that are easily changed on their way; NULL is tried of each besides. */
const TYPES: Readonly<Record<string, readonly [type: string, ...values: string[]]>> = {
  Exact: ['numeric(30, 10)', '-12345678901234567890.0123456789', '0'],
  'any number': ['numeric', 'NaN', 'Infinity', '-Infinity', '0.10', '1e-40', '9'.repeat(400)],
  short: ['real', 'NaN', '-Infinity', '3.4028235e38', '0.1', '-0'],
  double: ['double precision', 'NaN', 'Infinity', '0.1', '5e-324', '-0'],
  at: ['timestamptz', '2026-03-29 01:59:59.123456+01', 'infinity', '-infinity', '4713-01-01 00:00:00+00 BC'],
  'at 3': ['timestamp(3)', '2026-12-31 23:59:59.999', '0044-03-15 12:00:00 BC', 'infinity'],
  day: ['date', '0001-01-01 BC', 'infinity', '5874897-12-31'],
  clock: ['timetz', '24:00:00-15:59', '00:00:00.000001+00'],
  span: ['interval', '-1 years -2 mons +3 days -04:05:06.000007', 'infinity', '178000000 years'],
  doc: [
    'jsonb',
    '{"b": [1, null, 1.50, {"x": "\\u2028\\""}], "a": 1e2}',
    'null',
    '""',
    '123456789012345678901234567890',
  ],
  raw: ['json', '{ "b" : 1,  "b":2 }', ' [] '],
  words: [
    'text[]',
    '{NULL,"NULL",""," a \\"b\\" \\\\ ","{}",",",ä}',
    '{}',
    '{{a,NULL},{"c d",e}}',
    '[0:1]={x,y}',
  ],
  numbers: ['numeric(6,2)[]', '{1.10,NULL,NaN}'],
  blobs: ['bytea[]', '{"\\\\x00ff",NULL}'],
  bytes: ['bytea', '\\x', '\\x00', '\\x5c78275c', `\\x${'00ff'.repeat(3000)}`],
  mood: ['"Odd Types"."Mood"', 'glad', 'so, "so"', ''],
  moods: ['"Odd Types"."Mood"[]', '{glad,"so, \\"so\\"",""}'],
  sku: ['"Odd Types".sku', 'AB-1', 'é-2'],
  pair: ['"Odd Types".pair', '(1,"a ""b"", c")', '(,)', '(,"")'],
  range: ['int4range', 'empty', '[1,5)', '(,)', '[3,)'],
  moments: ['tstzrange', '["2026-01-01 00:00:00.000001+00",infinity)', '[-infinity,infinity]'],
  several: ['nummultirange', '{}', '{[1.5,2],(3,)}'],
  place: ['inet', '10.0.0.1/8', '2001:db8::1'],
  net: ['cidr', '10.0.0.0/8'],
  card: ['macaddr8', '08:00:2b:01:02:03:04:05'],
  bits: ['bit(5)', '00101'],
  'more bits': ['bit varying(9)', '', '101'],
  terms: ['tsvector', "'a':1A 'it''s':2 'with space':3,4B"],
  asked: ['tsquery', "'a' & !'b' <-> 'c':*"],
  point: ['point', '(0.1,-Infinity)'],
  code: ['char(4)', 'a', ''],
  few: ['varchar(5)', 'a  ', '', 'ééééé', '🙂🙂🙂🙂🙂'],
  yes: ['boolean', 'true', 'false'],
  id2: ['uuid', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'],
  one: ['"char"', 'x', ''],
  name: ['name', 'Ä'],
  words2: [
    'text',
    '',
    ' ',
    'NULL',
    '\\N',
    '\\',
    "'; DROP TABLE --",
    '\r\n\t\u0001\u007f\u0085\u2028\uFEFF\uFFFD\uFFFE\uFFFF',
    'e\u0301 \u00e9 \u{1F469}\u200D\u{1F680} \u{10FFFF} \u202Eabc\u202C שלום ﷽ \u{E0001}',
    'x'.repeat(1_048_576),
    `${'é"\\'.repeat(100_000)}`,
  ],
  'quote"d': ['text', 'a'],
  "apo'strophe {{key}}": ['text', 'a'],
  select: ['int', '2147483647'],
};

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const TABLE = `"Odd Tables"."Every Type"`;
const tableSql = (identity: string): string => `
  CREATE SCHEMA "Odd Tables"; CREATE SCHEMA "Odd Types";
  CREATE TYPE "Odd Types"."Mood" AS ENUM ('glad', 'so, "so"', '');
  CREATE DOMAIN "Odd Types".sku AS text CHECK (VALUE ~ '-');
  CREATE TYPE "Odd Types".pair AS (a int, b text);
  CREATE TABLE ${TABLE} (
    "The Id" bigint ${identity} PRIMARY KEY,
    "Owner of" text NOT NULL,
    touched int NOT NULL DEFAULT 7,
    stored int GENERATED ALWAYS AS (touched * 2) STORED,
    computed text GENERATED ALWAYS AS ("Owner of" || touched),
    ${Object.entries(TYPES)
      .map(([name, [type]]) => `${quote(name)} ${type}`)
      .join(', ')}
  )`;

const DESCRIPTION = `export default {
  name: 'every_type', sides: { from: 'shop', to: 'service' }, key: ['The Id'], owner: 'Owner of',
  fromTable: 'Odd Tables.Every Type', toTable: 'Odd Tables.Every Type',
};`;

describe('values of every type', () => {
  let their: Stranger;
  before(async function () {
    this.timeout(60_000);
    their = await stranger();
  });
  after(() => their.close());

  const must = async (verb: string, ...more: string[]): Promise<void> => {
    const { code, out, err } = await their.move(verb, 'every_type', ...more);
    assert.equal(code, 0, `${verb}: ${out}${err}`);
  };
  /** A row for each value, in one transaction. */
  const insert = async (pool: pg.Pool, first: number): Promise<void> => {
    let id = first;
    await pool.query(`INSERT INTO ${TABLE} ("The Id", "Owner of") OVERRIDING SYSTEM VALUE VALUES ($1, '')`, [
      id,
    ]);
    for (const [name, [type, ...values]] of Object.entries(TYPES))
      for (const value of values)
        await pool.query(
          `INSERT INTO ${TABLE} ("The Id", "Owner of", ${quote(name)}) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3::text::${type})`,
          [++id, `ö "${id % 40}"\n`, value],
        );
  };
  const texts = async (pool: pg.Pool): Promise<string[]> => {
    const client = await pool.connect();
    try {
      // Other settings than the sync's: a text that is only written alike would differ here.
      await client.query(
        `SET timezone = 'Asia/Kolkata'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'iso_8601'; SET bytea_output = 'escape'`,
      );
      const { rows } = await client.query<{ text: string }>(
        `SELECT t::text || ' ' || stored || computed AS text FROM ${TABLE} t ORDER BY "The Id"`,
      );
      return rows.map(({ text }) => text);
    } finally {
      client.release(true);
    }
  };
  const assertSame = (one: readonly string[], other: readonly string[]): void => {
    assert.equal(one.length, other.length);
    for (const [i, text] of one.entries())
      if (text !== other[i]) assert.equal(text.slice(0, 500), other[i]?.slice(0, 500));
  };

  it('travel there and back as they are', async function () {
    this.timeout(180_000);
    their.describe('every_type', DESCRIPTION);
    await their.old.query(tableSql('GENERATED ALWAYS AS IDENTITY'));
    await their.young.query(tableSql(''));
    // Written by sessions with habits of their own.
    await their.old.query(
      `ALTER DATABASE ${(await their.old.query('SELECT quote_ident(current_database()) AS name')).rows[0].name} SET datestyle = 'German'`,
    );
    await insert(their.old, 1);
    await must('plan');
    await must('start');
    const runner = their.run('every_type');
    await runner.atRest('ramp');
    const first = await texts(their.old);
    assertSame(await texts(their.young), first);
    await must('verify');
    await must('ramp', '100');
    await insert(their.young, 1001);
    await their.young.query(`UPDATE ${TABLE} SET touched = touched + 1`);
    await runner.atRest('soak');
    const second = await texts(their.old);
    assertSame(second, await texts(their.young));
    assert.equal(second.length, 2 * first.length);
    await must('verify');
    await must('reverse');
    await their.old.query(`UPDATE ${TABLE} SET touched = touched - 1`);
    await runner.atRest('ramp');
    const third = await texts(their.old);
    assertSame(third.slice(0, first.length), first);
    assertSame(await texts(their.young), third);
    await must('verify');
  });
});
