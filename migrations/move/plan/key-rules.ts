import { quote } from '../columns.ts';
import type { TableFacts } from './facts.ts';
import { findingsOf, type Finding } from './finding.ts';
import type { SubjectSide } from './subject.ts';

/** Types whose equal values have one text, in every session: rows of the two sides meet by it. */
const KEY_TYPES = ['smallint', 'integer', 'bigint', 'uuid', 'text', 'character varying'];

/** Judges what identifies a row, and what must be unique. */
export function keyFindings(
  { side, key, owner }: SubjectSide,
  { sql, columns, uniques }: TableFacts,
  distinct: readonly string[],
): Finding[] {
  const { found, refuse, note } = findingsOf(side);
  const named = (name: string): TableFacts['columns'][number] | undefined =>
    columns.find((column) => column.name === name);
  for (const name of new Set([...key, owner])) {
    const column = named(name);
    const role = key.includes(name) ? 'key' : 'owner';
    if (!column)
      refuse(
        'key.column',
        `${sql} has no column ${name}, which the move calls its ${role}`,
        `name another ${role} in the move`,
      );
    else if (column.generated)
      refuse(
        'key.generated',
        `the ${role} ${name} of ${sql} is computed by the database, after the fence has asked for it`,
        `ALTER TABLE ${sql} ALTER ${quote(name)} DROP EXPRESSION, and give the value in the application`,
      );
    else if (!KEY_TYPES.includes(column.type))
      refuse(
        'key.type',
        `the ${role} ${name} of ${sql} is ${column.type}: equal values may differ as text`,
        `use a ${role} of ${KEY_TYPES.join(', ')}`,
      );
    else if (!column.deterministic)
      refuse(
        'key.collation',
        `the ${role} ${name} of ${sql} has a collation that takes different texts for equal: the move tells rows and homes apart by the bytes`,
        `ALTER TABLE ${sql} ALTER ${quote(name)} TYPE ${column.full} COLLATE "default", and let the application write one form`,
      );
    else if (!column.notNull && role === 'owner')
      refuse(
        'owner.null',
        `the owner ${name} of ${sql} may be NULL, and such a row would have no home`,
        `ALTER TABLE ${sql} ALTER ${quote(name)} SET NOT NULL`,
      );
  }
  const primary = uniques.find(({ isPrimary }) => isPrimary);
  if (!primary)
    refuse(
      'key.missing',
      `${sql} has no primary key: rows of the two sides could not be told apart`,
      `ALTER TABLE ${sql} ADD PRIMARY KEY (${key.map(quote).join(', ')})`,
    );
  else if (!sameColumns(primary.columns, key))
    refuse(
      'key.other',
      `the primary key of ${sql} is (${primary.columns.join(', ')}), the move says (${key.join(', ')})`,
      'name the columns of the primary key in the move',
    );
  else if (primary.isDeferrable)
    refuse(
      'key.deferrable',
      `the primary key of ${sql} is deferrable, and ON CONFLICT, by which the sync applies rows, can't use it`,
      `make it NOT DEFERRABLE`,
    );
  for (const unique of uniques) {
    const { name, isPrimary, isExclusion, hasExpression } = unique;
    if (isPrimary) continue;
    const what = `${isExclusion ? 'the exclusion constraint' : 'the unique index'} ${name} (${[...unique.columns, ...(hasExpression ? ['an expression'] : [])].join(', ')}) of ${sql}`;
    // With the whole key in it, two rows never have the same values.
    if (!isExclusion && key.every((column) => unique.columns.includes(column))) continue;
    if (distinct.includes(name))
      note(
        'unique.distinct',
        `${what} reaches across owners; the move says that its values can't meet`,
        'keep it so: a row that meets another is parked, and parked rows hold the switching up',
      );
    else if (isExclusion || !unique.columns.includes(owner))
      refuse(
        'unique.owners',
        `${what} reaches across owners: with homes at two sides, each could accept a row that the other has too`,
        `drop it, or put ${owner} into it; if its values can't meet because each is made of the key or a random number, add '${name}' to the move's distinct`,
      );
    else
      note(
        'unique.owner',
        `${what} holds within an owner, so its home keeps it; but rows that exchange their values can't be applied one by one`,
        'if the application exchanges values (an order of places), do without the constraint while moving',
      );
  }
  return found;
}

function sameColumns(some: readonly string[], others: readonly string[]): boolean {
  return some.toSorted().join() === others.toSorted().join();
}
