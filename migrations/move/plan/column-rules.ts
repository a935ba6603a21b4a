import { quote } from '../columns.ts';
import type { ColumnFacts, TableFacts } from './facts.ts';
import { findingsOf, type Finding } from './finding.ts';
import type { SubjectSide } from './subject.ts';

/** Types whose values mean something only inside one database, or whose text depends on its settings. */
const STAYS: Record<string, string> = {
  oid: 'an object of this database, perhaps a large object, whose bytes would stay behind',
  regclass: 'an object of this database',
  regproc: 'an object of this database',
  regprocedure: 'an object of this database',
  regtype: 'an object of this database',
  regrole: 'a role of this server',
  regnamespace: 'a schema of this database',
  xid: 'a transaction of this server',
  xid8: 'a transaction of this server',
  tid: 'a place in this table',
  pg_lsn: 'a place in this server’s log',
  pg_snapshot: 'a moment of this server',
  txid_snapshot: 'a moment of this server',
  money: 'a number whose text depends on lc_monetary',
};

/** Judges the columns: what can be carried as text, and who counts. Columns that the move keeps to one side are not carried. */
export function columnFindings(
  { side, key, kept }: SubjectSide,
  { sql, columns }: TableFacts,
  end: 'from' | 'to',
  role: string,
): Finding[] {
  const { found, refuse, note } = findingsOf(side);
  for (const name of kept) {
    const column = columns.find((candidate) => candidate.name === name);
    if (!column)
      refuse(
        'kept.column',
        `${sql} has no column ${name}, which the move keeps there`,
        'leave it out of the move',
      );
    else if (column.notNull && !column.hasDefault && !column.identity && !column.generated)
      refuse(
        'kept.required',
        `${name} of ${sql} is kept to this side, but NOT NULL without a default: no row could come from the other side`,
        `ALTER TABLE ${sql} ALTER ${quote(name)} DROP NOT NULL, or give it a default`,
      );
  }
  for (const column of columns) {
    if (kept.includes(column.name)) continue;
    const { name, type } = column;
    const local = column.madeOf.find((part) => part in STAYS);
    if (local)
      refuse(
        'column.type',
        `${name} of ${sql} is ${type}${local === type ? '' : `, with ${local} in it`}: ${STAYS[local]}`,
        `keep what it stands for in a column of another type, or keep ${name} to this side (kept)`,
      );
    if (column.sequence === null) continue;
    if (!key.includes(name))
      refuse(
        'sequence.other',
        `${name} of ${sql} is counted by ${column.sequence}, and only ids of the key are leased: two sides would count for themselves`,
        `give the value in the application, or keep ${name} to this side (kept)`,
      );
    else if (end === 'to')
      refuse(
        'sequence.lease',
        `${name} of ${sql} is counted by ${column.sequence}: two sides that count for themselves use an id twice`,
        `${dropCounting(sql, column)}; the ids come in blocks leased from the old side`,
      );
    else if (!column.mayUseSequence)
      refuse(
        'privilege.sequence',
        `${role} may not take ids from ${column.sequence}, of which the new side gets its blocks`,
        `GRANT USAGE ON SEQUENCE ${column.sequence} TO ${role}`,
      );
    else
      note(
        'sequence.lease',
        `${name} of ${sql} is counted by ${column.sequence}; the new side gets its ids in blocks from there`,
        'ids will have gaps; nothing to do',
      );
  }
  return found;
}

function dropCounting(sql: string, { name, identity }: ColumnFacts): string {
  return `ALTER TABLE ${sql} ALTER ${quote(name)} DROP ${identity ? 'IDENTITY' : 'DEFAULT'}`;
}
