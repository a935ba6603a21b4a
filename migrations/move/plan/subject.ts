import type { DescribedIds, MoveDescription, Row } from '../description.ts';
import { NoDescription } from '../load.ts';

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
  /** Triggers that do nothing with a row which the other side has taken already. */
  readonly passive: readonly string[];
  /** Undefined: only one side makes them, or they are random. */
  readonly ids: DescribedIds | undefined;
}

/** Throws NoDescription when something is missing. */
export function subjectOf(described: unknown, file = 'the move'): Subject {
  if (typeof described !== 'object' || described === null)
    throw new NoDescription(`${file} has no default export that describes a move`);
  const move = described as Partial<MoveDescription>;
  const sideOf = (end: 'from' | 'to', kept: readonly string[] = []): SubjectSide => {
    const { key, owner } = move;
    const side = move.sides?.[end];
    const table = move[`${end}Table`];
    if (!side || !table || !key?.length || !owner)
      throw new NoDescription(
        `${file} does not say the name, table, key and owner of the side it moves ${end === 'from' ? 'from' : 'to'}`,
      );
    return { side, table, key, owner, kept };
  };
  if (!move.up !== !move.down) throw new NoDescription(`${file}: up and down come together`);
  const from = sideOf('from', move.oldOnly);
  const to = sideOf('to', move.newOnly);
  return {
    name: move.name!,
    from,
    to,
    up: move.up ?? ((row) => without(row, from.kept)),
    down: move.down ?? ((row) => without(row, to.kept)),
    distinct: move.distinct ?? [],
    passive: move.passive ?? [],
    ids: move.ids,
  };
}

/** A row without some of its columns. */
export function without(row: Row, columns: readonly string[]): Row {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !columns.includes(name)));
}
