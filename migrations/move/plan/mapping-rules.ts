import { quote } from '../columns.ts';
import type { TableFacts } from './facts.ts';
import { findingsOf, type Finding } from './finding.ts';
import { without, type SubjectSide } from './subject.ts';
import type { Row } from '../description.ts';

export interface End {
  readonly subject: SubjectSide;
  readonly table: TableFacts;
}

/**
 * Tries the mapping on real rows of one side: there, and back again. Each finding names the column and the key of the first row
 * that shows it. A row comes back as it was, but for the columns that are kept.
 */
export function mappingFindings(
  here: End,
  there: End,
  rows: readonly Row[],
  out: (row: Row) => Row,
  back: (row: Row) => Row,
  names: { readonly out: string; readonly back: string },
): Finding[] {
  const { found, refuse } = findingsOf(here.subject.side);
  const seen = new Map<string, { count: number; say: (count: number) => void }>();
  /** The same thing of many rows is one finding, with their number. */
  const once = (what: string, say: (count: number) => void): void => {
    const before = seen.get(what);
    if (before) before.count += 1;
    else seen.set(what, { count: 1, say });
  };
  const { sql } = here.table;
  const travelling = carried(here);
  const expected = carried(there);
  for (const whole of rows) {
    // As the sync hands it on.
    const row = without(whole, here.subject.kept);
    const key = keyText(row, here.subject.key);
    let mapped: Row;
    let returned: Row;
    try {
      mapped = out(row);
      returned = back(mapped);
    } catch (error) {
      once('throws', (count) =>
        refuse(
          'mapping.throws',
          `${names.back}(${names.out}(row)) fails for ${count} of ${rows.length} rows of ${sql}, first for ${key}: ${(error as Error).message}`,
          'let the mapping take every row that the table can hold; rows it fails for are parked, and parked rows hold the switching up',
        ),
      );
      continue;
    }
    for (const name of expected)
      if (!(name in mapped))
        once(`uncovered ${name}`, () =>
          refuse(
            'mapping.uncovered',
            `${names.out} gives nothing for the column ${name} of ${there.table.sql} (row ${key})`,
            `let ${names.out} give it, or keep it to ${there.subject.side} (kept)`,
          ),
        );
    for (const name of Object.keys(mapped)) {
      const column = there.table.columns.find((candidate) => candidate.name === name);
      if (column?.generated)
        once(`generated ${name}`, () =>
          refuse(
            'mapping.generated',
            `${names.out} gives a value for ${name} of ${there.table.sql}, which the database computes itself (row ${key})`,
            `leave ${name} out of ${names.out}`,
          ),
        );
      else if (there.subject.kept.includes(name))
        once(`kept ${name}`, () =>
          refuse(
            'mapping.kept',
            `${names.out} gives a value for ${name}, which the move keeps to ${there.subject.side} (row ${key})`,
            `leave ${name} out of ${names.out}, or let it travel`,
          ),
        );
      else if (!column)
        once(`unknown ${name}`, () =>
          refuse(
            'mapping.unknown',
            `${names.out} gives a column ${name}, which ${there.table.sql} does not have (row ${key})`,
            `add the column by a migration, or leave ${name} out of ${names.out}`,
          ),
        );
    }
    for (const { name, notNull } of there.table.columns)
      if (notNull && mapped[name] === null)
        once(`null ${name}`, (count) =>
          refuse(
            'mapping.null',
            `${names.out} gives NULL for ${name} of ${there.table.sql}, which is NOT NULL, in ${count} of ${rows.length} rows, first in ${key}`,
            `let ${names.out} give a value, or: ALTER TABLE ${there.table.sql} ALTER ${quote(name)} DROP NOT NULL`,
          ),
        );
    for (const [from, to] of identity(here.subject, there.subject))
      if (mapped[to] !== row[from])
        once(`identity ${from}`, () =>
          refuse(
            'mapping.identity',
            `${names.out} makes ${to} ${text(mapped[to])} of ${from} ${text(row[from])} (row ${key}): the two sides would not know the row, or its home, by the same name`,
            `let ${names.out} hand ${from} on as it is`,
          ),
        );
    for (const name of travelling)
      if (returned[name] !== row[name])
        once(`differs ${name}`, (count) =>
          refuse(
            'mapping.differs',
            `${names.back}(${names.out}(row)) does not give the column ${name} of ${sql} back, in ${count} of ${rows.length} rows; first in ${key}: ${text(row[name])} comes back as ${text(returned[name])}`,
            `carry what is lost in a further column, or keep ${name} to ${here.subject.side} (kept)`,
          ),
        );
  }
  for (const { count, say } of seen.values()) say(count);
  return found;
}

function carried({ subject, table }: End): readonly string[] {
  return table.columns
    .filter(({ name, generated }) => !generated && !subject.kept.includes(name))
    .map(({ name }) => name);
}

/** Columns by which both sides know a row and its home, in pairs. */
function identity(here: SubjectSide, there: SubjectSide): readonly (readonly [string, string])[] {
  return [...here.key.map((name, index) => [name, there.key[index]!] as const), [here.owner, there.owner]];
}

function keyText(row: Row, key: readonly string[]): string {
  return key.map((name) => `${name}=${row[name]}`).join(', ');
}

function text(value: string | null | undefined): string {
  if (value === undefined) return 'nothing';
  return value === null ? 'NULL' : JSON.stringify(value.length > 80 ? `${value.slice(0, 79)}…` : value);
}
