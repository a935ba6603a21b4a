import pg from 'pg';
import { planMove, type Plan } from '../../migrations/move/plan/plan.ts';
import type { Finding } from '../../migrations/move/plan/finding.ts';
import { subjectOf } from '../../migrations/move/plan/subject.ts';
import { testDatabase, type TestDatabase } from './postgres.ts';

const OLD = `
  CREATE TABLE products (id bigint PRIMARY KEY);
  CREATE TABLE pictures (id bigserial PRIMARY KEY, product bigint NOT NULL, alt text NOT NULL DEFAULT '', size int, legacy text)`;
const NEW = `CREATE TABLE pictures (id bigint PRIMARY KEY, product bigint NOT NULL, alt text NOT NULL, size int, seen timestamptz)`;
/** Ten pictures of three products, at the old side. */
export const ROWS = `INSERT INTO pictures (product, alt, size) SELECT n % 3, 'Bild ' || n, n FROM generate_series(1, 10) n`;

const MOVE = {
  name: 'pictures',
  sides: { from: 'shop', to: 'image-api' },
  fromTable: 'pictures',
  toTable: 'pictures',
  key: ['id'],
  owner: 'product',
  oldOnly: ['legacy'],
  newOnly: ['seen'],
};

export interface PlannedMove {
  readonly old: TestDatabase;
  readonly now: TestDatabase;
  /** Both as at first: tables that can be moved, empty. */
  afresh(): Promise<void>;
  plan(move?: object, urls?: { readonly from?: string; readonly to?: string }): Promise<Plan>;
  drop(): Promise<void>;
}

/** Two databases with the tables of a move that nothing stands against. */
export async function plannedMove(): Promise<PlannedMove> {
  const old = await testDatabase();
  const now = await testDatabase();
  return {
    old,
    now,
    async afresh() {
      const empty = 'DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC;';
      await runSql(old.url, `${empty}${OLD}`);
      await runSql(now.url, `${empty}${NEW}`);
    },
    plan: (move = {}, urls = {}) =>
      planMove({ subject: subjectOf({ ...MOVE, ...move }), from: old.url, to: now.url, ...urls }),
    async drop() {
      await old.drop();
      await now.drop();
    },
  };
}

/** Runs SQL on a connection of its own. */
export async function runSql(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

export function refusals({ findings }: Plan): Finding[] {
  return findings.filter(({ refuses }) => refuses);
}

/** The rules of what is only to know. */
export function notes({ findings }: Plan): string[] {
  return findings.filter(({ refuses }) => !refuses).map(({ rule }) => rule);
}
