import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A row as text by column, as Postgres writes it; null is NULL. */
export type TextRow = Readonly<Record<string, string | null>>;

/** One side of a move, as far as a plan asks. */
export interface SubjectSide {
  /** The side's name, like that of its upstream. */
  readonly side: string;
  /** With its schema, else in `public`. */
  readonly table: string;
  readonly key: readonly string[];
  readonly owner: string;
  /** Columns that the other side has nothing for: what is in them stays. */
  readonly kept: readonly string[];
}

export interface Subject {
  readonly name: string;
  readonly from: SubjectSide;
  readonly to: SubjectSide;
  readonly up: (row: TextRow) => TextRow;
  readonly down: (row: TextRow) => TextRow;
  /** Unique constraints and indexes over rows of several owners whose values can't meet, because each is made of the key or of a random number. */
  readonly distinct: readonly string[];
}

/** What is wrong with the name or the file, before any database is asked. */
export class NoSubject extends Error {}

/** Loads FOLDER/NAME.ts, whose default export (or export of that name) describes the move. Throws NoSubject. */
export async function loadSubject(name: string, folder: string): Promise<Subject> {
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(name))
    throw new NoSubject(`"${name}" is no name of a move: lower-case letters, digits and _, at most 40`);
  const file = resolve(join(folder, `${name}.ts`));
  if (!existsSync(file)) throw new NoSubject(`there is no move "${name}": ${file} does not exist`);
  const module = (await import(pathToFileURL(file).href).catch((error: Error) => {
    throw new NoSubject(`${file} can't be loaded: ${error.message}`, { cause: error });
  })) as Record<string, unknown>;
  return subjectOf(module['default'] ?? module[name], file);
}

/** A description as the moves' files write it: a side each, or flat with what is named alike on both sides. */
interface Described {
  readonly name: string;
  readonly from?: DescribedSide;
  readonly to?: DescribedSide;
  readonly sides?: { readonly from: string; readonly to: string };
  readonly fromTable?: string;
  readonly toTable?: string;
  readonly key?: string | readonly string[];
  readonly owner?: string;
  readonly oldOnly?: readonly string[];
  readonly newOnly?: readonly string[];
  readonly kept?: readonly string[];
  readonly up?: (row: TextRow) => TextRow;
  readonly down?: (row: TextRow) => TextRow;
  readonly distinct?: readonly string[];
}

interface DescribedSide {
  readonly side: string;
  readonly table: string;
  readonly key: string | readonly string[];
  readonly owner: string;
}

/** Throws NoSubject when something is missing. */
export function subjectOf(described: unknown, file = 'the move'): Subject {
  if (typeof described !== 'object' || described === null)
    throw new NoSubject(`${file} has no default export that describes a move`);
  const move = described as Described;
  const { oldOnly = [], newOnly = move.kept ?? [] } = move;
  const sideOf = (
    side: DescribedSide | undefined,
    end: 'from' | 'to',
    kept: readonly string[],
  ): SubjectSide => {
    const name = side?.side ?? move.sides?.[end];
    const table = side?.table ?? move[`${end}Table`];
    const key = side?.key ?? move.key;
    const owner = side?.owner ?? move.owner;
    if (!name || !table || !key?.length || !owner)
      throw new NoSubject(
        `${file} does not say the name, table, key and owner of the side it moves ${end === 'from' ? 'from' : 'to'}`,
      );
    return { side: name, table, key: typeof key === 'string' ? [key] : key, owner, kept };
  };
  if (!move.up !== !move.down) throw new NoSubject(`${file}: up and down come together`);
  const from = sideOf(move.from, 'from', oldOnly);
  const to = sideOf(move.to, 'to', newOnly);
  return {
    name: move.name,
    from,
    to,
    up: move.up ?? ((row) => without(row, from.kept)),
    down: move.down ?? ((row) => without(row, to.kept)),
    distinct: move.distinct ?? [],
  };
}

/** A row without some of its columns. */
export function without(row: TextRow, columns: readonly string[]): TextRow {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !columns.includes(name)));
}
