import { quote } from '../columns.ts';
import type { ForeignKeyFacts, TableFacts } from './facts.ts';
import { findingsOf, type Finding } from './finding.ts';
import type { SubjectSide } from './subject.ts';

/** Judges foreign keys: no database checks one across two databases, and none may write rows whose home is elsewhere. */
export function referenceFindings(
  { side }: SubjectSide,
  { sql, incoming, outgoing }: TableFacts,
  end: 'from' | 'to',
): Finding[] {
  const { found, refuse, note } = findingsOf(side);
  for (const key of outgoing) {
    const { name, table } = key;
    const columns = key.columns.join(', ');
    const actions = actionsOf(key);
    if (table === sql || `public.${table}` === sql)
      refuse(
        'reference.self',
        `${name} (${columns}) of ${sql} refers to ${sql} itself: rows are applied one by one, so one may come before the one it refers to`,
        `ALTER TABLE ${sql} DROP CONSTRAINT ${quote(name)}; keep the column, and let the application check it`,
      );
    else if (actions)
      refuse(
        'reference.cascade',
        `${name} (${columns}) of ${sql} has ${actions}: a change of ${table} would write rows of ${sql} whose home is the other side`,
        `make it a plain reference, and let whoever deletes from ${table} delete these rows at their home first: ALTER TABLE ${sql} DROP CONSTRAINT ${quote(name)}, ADD CONSTRAINT ${quote(name)} ${plain(key)}`,
      );
    else if (end === 'to')
      refuse(
        'reference.stays',
        `${name} (${columns}) of ${sql} refers to ${table}, which does not move with it: rows whose ${table} is not here could not be applied`,
        `ALTER TABLE ${sql} DROP CONSTRAINT ${quote(name)}; keep the column, and let the service ask whether there is such a row`,
      );
    else
      note(
        'reference.stays',
        `${name} (${columns}) of ${sql} refers to ${table}, which stays: it holds here until contract, and the new side has none. A row of ${table} can be deleted only when its rows of ${sql} are gone at their home and here`,
        `let the service ask before it accepts a value of ${columns}, and delete rows of ${sql} at their home before those of ${table}`,
      );
  }
  for (const key of incoming) {
    if (key.table === sql || `public.${key.table}` === sql) continue;
    const { name, table } = key;
    const actions = actionsOf(key);
    refuse(
      'reference.incoming',
      actions
        ? `${name} of ${table} refers to ${sql} with ${actions}: a row that the sync deletes would take rows of ${table} with it, at this side only`
        : `${name} of ${table} refers to ${sql}: a row that was deleted at its home could not be deleted here while ${table} names it`,
      `ALTER TABLE ${table} DROP CONSTRAINT ${quote(name)}; keep the column, and treat a row that is gone as an answer`,
    );
  }
  return found;
}

function actionsOf({ onDelete, onUpdate }: ForeignKeyFacts): string {
  const acts = (action: string): boolean => action !== 'NO ACTION' && action !== 'RESTRICT';
  return [
    ...(acts(onDelete) ? [`ON DELETE ${onDelete}`] : []),
    ...(acts(onUpdate) ? [`ON UPDATE ${onUpdate}`] : []),
  ].join(' and ');
}

function plain({ definition }: ForeignKeyFacts): string {
  return definition.replaceAll(
    / ON (DELETE|UPDATE) (CASCADE|SET NULL|SET DEFAULT|RESTRICT)( \([^)]*\))?/g,
    '',
  );
}
