import { quote } from '../columns.ts';
import type { Facts } from './facts.ts';
import { findingsOf, type Finding } from './finding.ts';
import type { SubjectSide } from './subject.ts';

const KINDS: Record<string, string> = {
  p: 'a partitioned table',
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
};

/** Judges the table as a whole, and what we may do with it. */
export function tableFindings(
  { side }: SubjectSide,
  { table, role, mayCreateSchema }: Facts,
  passive: readonly string[],
): Finding[] {
  const { found, refuse, note } = findingsOf(side);
  if (!mayCreateSchema)
    refuse(
      'privilege.create',
      `${role} may not create the schema strangler, where homes and versions are kept`,
      `let an administrator run: GRANT CREATE ON DATABASE … TO ${role}; or CREATE SCHEMA strangler AUTHORIZATION ${role}`,
    );
  if (!table) return found;
  const { sql, kind, persistence } = table;
  if (!table.isOurs)
    refuse(
      'privilege.owner',
      `${sql} belongs to ${table.owner}, and ${role} is not one of its members; only the owner can put triggers on it that fire always`,
      `connect as ${table.owner}, or: GRANT ${table.owner} TO ${role}`,
    );
  if (!table.maySelect)
    refuse(
      'privilege.select',
      `${role} may not read ${sql}, so rows, owners and the mapping were not looked at`,
      `GRANT SELECT ON ${sql} TO ${role}`,
    );
  if (kind !== 'r')
    refuse(
      'table.kind',
      `${sql} is ${KINDS[kind] ?? 'no table'}; rows have one home only where one table's triggers see every write`,
      kind === 'p'
        ? 'move each partition as a move of its own, or bring the rows into one table'
        : 'name the table that holds the rows',
    );
  if (persistence !== 'p')
    refuse(
      'table.unlogged',
      `${sql} is ${persistence === 'u' ? 'unlogged: a crash empties it, and acknowledged writes with it' : 'temporary'}`,
      `ALTER TABLE ${sql} SET LOGGED`,
    );
  if (table.isPartition)
    refuse(
      'table.inherited',
      `${sql} is a partition of ${table.parents.join(', ')}, through which rows come and go`,
      `ALTER TABLE ${table.parents[0]} DETACH PARTITION ${sql}`,
    );
  else if (table.parents.length > 0)
    refuse(
      'table.inherited',
      `${sql} inherits from ${table.parents.join(', ')}: what is read there includes these rows also after they have moved`,
      table.parents.map((parent) => `ALTER TABLE ${sql} NO INHERIT ${parent}`).join('; '),
    );
  if (kind === 'r' && table.children.length > 0)
    refuse(
      'table.inherited',
      `${table.children.join(', ')} inherit(s) from ${sql}: a write to ${sql} changes rows there, where no trigger of the move is`,
      table.children.map((child) => `ALTER TABLE ${child} NO INHERIT ${sql}`).join('; '),
    );
  for (const { name, calls } of table.triggers)
    if (passive.includes(name))
      note(
        'trigger.passive',
        `the trigger ${name} on ${sql} calls ${calls}; the move says that it does nothing with rows that arrive`,
        'keep it so: what it changed in a row, the verification would take for damage',
      );
    else
      refuse(
        'table.trigger',
        `the trigger ${name} calls ${calls} on ${sql}; it would run once more for every row that the sync applies, and what it does exists at this side only`,
        `do in the application what ${calls} does, then: DROP TRIGGER ${quote(name)} ON ${sql}; if it does nothing with a row that the other side has taken already, add '${name}' to the move's passive`,
      );
  for (const rule of table.rules)
    refuse(
      'table.rule',
      `the rule ${rule} rewrites statements on ${sql}, also those of the sync`,
      `DROP RULE ${quote(rule)} ON ${sql}`,
    );
  if (table.rowSecurity)
    refuse(
      'table.row_security',
      `${sql} has row-level security: rows that a policy hides from the sync would count as missing`,
      `ALTER TABLE ${sql} DISABLE ROW LEVEL SECURITY; grant by role and column instead`,
    );
  return found;
}
