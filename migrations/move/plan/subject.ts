import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MoveDescription, Row } from '../description.ts';

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
  readonly up: (row: Row) => Row;
  readonly down: (row: Row) => Row;
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

/** Throws NoSubject when something is missing. */
export function subjectOf(described: unknown, file = 'the move'): Subject {
  if (typeof described !== 'object' || described === null)
    throw new NoSubject(`${file} has no default export that describes a move`);
  const move = described as Partial<MoveDescription>;
  const sideOf = (end: 'from' | 'to', kept: readonly string[] = []): SubjectSide => {
    const { key, owner } = move;
    const side = move.sides?.[end];
    const table = move[`${end}Table`];
    if (!side || !table || !key?.length || !owner)
      throw new NoSubject(
        `${file} does not say the name, table, key and owner of the side it moves ${end === 'from' ? 'from' : 'to'}`,
      );
    return { side, table, key, owner, kept };
  };
  if (!move.up !== !move.down) throw new NoSubject(`${file}: up and down come together`);
  const from = sideOf('from', move.oldOnly);
  const to = sideOf('to', move.newOnly);
  return {
    name: move.name!,
    from,
    to,
    up: move.up ?? ((row) => without(row, from.kept)),
    down: move.down ?? ((row) => without(row, to.kept)),
    distinct: move.distinct ?? [],
  };
}

/** A row without some of its columns. */
export function without(row: Row, columns: readonly string[]): Row {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !columns.includes(name)));
}
