import pg from 'pg';
import { quote } from '../columns.ts';
import { readFacts } from './catalog.ts';
import { columnFindings } from './column-rules.ts';
import { formFindings } from './form-rules.ts';
import { readCounts, type Counts } from './counts.ts';
import type { Facts } from './facts.ts';
import { findingsOf, type Finding } from './finding.ts';
import { idsFindings } from './ids-rules.ts';
import { keyFindings } from './key-rules.ts';
import { mappingFindings } from './mapping-rules.ts';
import { referenceFindings } from './reference-rules.ts';
import { readSample } from './sample.ts';
import type { Subject, SubjectSide } from './subject.ts';
import type { Row } from '../description.ts';
import { tableFindings } from './table-rules.ts';

export interface PlanOptions {
  readonly subject: Subject;
  readonly from: string;
  readonly to: string;
  /** Rows tried from each end of the key, at each side. Default 1000. */
  readonly sample?: number;
  /** Milliseconds one query may take; the table is counted once. Default 60,000. */
  readonly statementTimeout?: number;
}

export interface Plan {
  readonly name: string;
  readonly refused: boolean;
  /** Refusals first. */
  readonly findings: readonly Finding[];
  readonly sides: { readonly from: PlannedSide; readonly to: PlannedSide };
  /** What `start` makes in each of the two databases. */
  readonly creates: readonly { readonly side: string; readonly what: string }[];
}

export interface PlannedSide {
  readonly side: string;
  readonly table: string;
  /** null when the table could not be read. */
  readonly counts: Counts | null;
  /** Rows the mapping was tried on. */
  readonly tried: number;
}

interface Looked {
  readonly subject: SubjectSide;
  readonly facts: Facts;
  readonly counts: Counts | null;
  readonly rows: readonly Row[];
}

/** A database that can't be asked. */
export class NoDatabase extends Error {}

/** Looks at both databases, changes nothing, and says all at once what stands against the move. Throws NoDatabase. */
export async function planMove(options: PlanOptions): Promise<Plan> {
  const { subject } = options;
  const [from, to] = await Promise.all([
    look(options.from, subject.from, options),
    look(options.to, subject.to, options),
  ]);
  const all = [
    ...bothFindings(from, to),
    ...sideFindings(subject, from, 'from'),
    ...sideFindings(subject, to, 'to'),
    ...triedFindings(subject, from, to),
    ...(await formsOf(options, from, to)),
    ...(await idsFindings(subject, options)),
  ];
  const planned = ({ subject, facts, counts, rows }: Looked): PlannedSide => ({
    side: subject.side,
    table: facts.table?.sql ?? subject.table,
    counts,
    tried: rows.length,
  });
  return {
    name: subject.name,
    refused: all.some(({ refuses }) => refuses),
    findings: [...all.filter(({ refuses }) => refuses), ...all.filter(({ refuses }) => !refuses)],
    sides: { from: planned(from), to: planned(to) },
    creates: [from, to].flatMap((side) => creates(subject.name, side)),
  };
}

/** One snapshot of one side. */
async function look(
  url: string,
  subject: SubjectSide,
  { sample = 1000, statementTimeout = 60_000 }: PlanOptions,
): Promise<Looked> {
  const client = new pg.Client({ connectionString: url, application_name: 'strangler-move-plan' });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await client.query(`SET LOCAL statement_timeout = ${Math.trunc(statementTimeout)}`);
    const facts = await readFacts(client, subject.table);
    const { table } = facts;
    const named = [...subject.key, subject.owner];
    if (
      !table?.maySelect ||
      !'rp'.includes(table.kind) ||
      table.rowSecurity ||
      named.some((name) => table.columns.every((column) => column.name !== name))
    )
      return { subject, facts, counts: null, rows: [] };
    return {
      subject,
      facts,
      counts: await readCounts(client, table, subject.owner),
      rows: await readSample(client, table, subject.key, sample),
    };
  } catch (error) {
    throw new NoDatabase(`the database of ${subject.side} can't be asked: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    await client.end();
  }
}

function sideFindings(subject: Subject, { subject: side, facts }: Looked, end: 'from' | 'to'): Finding[] {
  const { table, role } = facts;
  if (!table) {
    const { found, refuse } = findingsOf(side.side);
    refuse(
      'table.missing',
      `there is no table ${side.table}, or ${role} may not see its schema`,
      'create it by a migration, or correct the name in the move',
    );
    return [...found, ...tableFindings(side, facts, subject.passive)];
  }
  // Views and foreign tables have neither keys nor NOT NULL of their own, and saying so would not help.
  if (!'rp'.includes(table.kind)) return tableFindings(side, facts, subject.passive);
  return [
    ...tableFindings(side, facts, subject.passive),
    ...keyFindings(side, table, subject.distinct),
    ...referenceFindings(side, table, end),
    ...columnFindings(side, table, end, role),
  ];
}

/** What only the two together show. */
function bothFindings(from: Looked, to: Looked): Finding[] {
  const { found, refuse, note } = findingsOf(to.subject.side);
  if (from.facts.database === to.facts.database)
    refuse(
      'sides.same',
      `both sides are the database ${from.facts.database}`,
      'give the new side a database of its own: --to',
    );
  if (from.facts.encoding !== to.facts.encoding)
    refuse(
      'sides.encoding',
      `${from.subject.side} is encoded in ${from.facts.encoding}, ${to.subject.side} in ${to.facts.encoding}: a text may exist at one side only`,
      `create the new database with ENCODING '${from.facts.encoding}' TEMPLATE template0`,
    );
  const pairs = [
    ...from.subject.key.map((name, index) => [name, to.subject.key[index]] as const),
    [from.subject.owner, to.subject.owner] as const,
  ];
  for (const [here, there] of pairs) {
    const typeOf = ({ facts }: Looked, name: string | undefined): string | undefined =>
      facts.table?.columns.find((column) => column.name === name)?.type;
    const [old, now] = [typeOf(from, here), typeOf(to, there)];
    if (old && now && old !== now)
      refuse(
        'sides.type',
        `${here} is ${old} at ${from.subject.side}, ${there} is ${now} at ${to.subject.side}: rows and homes are known by it`,
        `ALTER TABLE ${to.facts.table!.sql} ALTER ${quote(there!)} TYPE ${old}`,
      );
  }
  if (to.counts && to.counts.rows > 0)
    note(
      'sides.rows',
      `${to.facts.table!.sql} has ${to.counts.rows} rows already`,
      'a move starts with an empty table at the new side; empty it, unless this move is on its way',
    );
  return found;
}

function triedFindings({ up, down }: Subject, from: Looked, to: Looked): Finding[] {
  const [old, now] = [from.facts.table, to.facts.table];
  if (!old || !now) return [];
  const here = { subject: from.subject, table: old };
  const there = { subject: to.subject, table: now };
  const { found, note } = findingsOf(from.subject.side);
  if (from.counts && from.rows.length === 0)
    note(
      'mapping.untried',
      `${old.sql} is empty, so the mapping was not tried`,
      'plan again when there are rows',
    );
  return [
    ...found,
    ...mappingFindings(here, there, from.rows, up, down, { out: 'up', back: 'down' }),
    ...mappingFindings(there, here, to.rows, down, up, { out: 'down', back: 'up' }),
  ];
}

/** What only the databases can say of what the mapping gives. */
async function formsOf({ subject, ...urls }: PlanOptions, from: Looked, to: Looked): Promise<Finding[]> {
  const [old, now] = [from.facts.table, to.facts.table];
  if (!old || !now) return [];
  const here = { subject: from.subject, table: old };
  const there = { subject: to.subject, table: now };
  return [
    ...(await formFindings(urls.to, here, there, from.rows, subject.up, 'up')),
    ...(await formFindings(urls.from, there, here, to.rows, subject.down, 'down')),
  ];
}

function creates(name: string, { subject, facts }: Looked): Plan['creates'] {
  const table = facts.table?.sql ?? subject.table;
  return [
    'schema strangler with its table move, unless they are there',
    `tables strangler.${name}_bucket, strangler.${name}_row_state, strangler.${name}_parked, strangler.${name}_garbage`,
    `functions strangler.${name}_…`,
    `triggers zz_strangler_${name}_fence, zz_strangler_${name}_mark, zz_strangler_${name}_no_truncate on ${table}`,
  ].map((what) => ({ side: subject.side, what }));
}
