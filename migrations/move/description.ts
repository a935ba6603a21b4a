/** A row in transit: column → its text as Postgres writes it, or null. Texts, because numbers and dates of JavaScript lose digits. */
export type Row = Readonly<Record<string, string | null>>;

/**
 * The files of the rows: at one side at the path its row names, at the other by their content (`sha256/ab/abcd…`). A row without either has none.
 */
export interface DescribedBlob {
  /** The column with the SHA-256 of the bytes, in hexadecimal, named alike in both tables. */
  readonly sha256: string;
  /** The side that keeps files at paths, and the column of its table with the path below its folder. */
  readonly pathsAt: string;
  readonly path: string;
}

/** One side has a sequence; the other gets runs of numbers taken from it, so that none is used twice. Names with their schema. */
export interface DescribedIds {
  /** The side with the sequence. */
  readonly at: string;
  readonly sequence: string;
  /** At the other side: a query that answers how many numbers are left, and one that adds the run of $2 numbers from $1. */
  readonly left: string;
  readonly lease: string;
}

/** What is moved, and how a row of the old table becomes one of the new and back. A file in migrations/moves/ has one as its default export. */
export interface MoveDescription {
  /** Lower-case letters, digits and _, at most 40; prefix of the move's objects in the schema `strangler`. */
  readonly name: string;
  /** The sides' names, like those of the upstreams. */
  readonly sides: { readonly from: string; readonly to: string };
  /** Tables, in the schema `public` unless qualified. */
  readonly fromTable: string;
  readonly toTable: string;
  /** The columns of the primary key, named alike in both tables: integers, uuid or text. */
  readonly key: readonly string[];
  /** The column with the entity whose rows have one home together, named alike in both tables; never NULL. */
  readonly owner: string;
  /** Columns of the new table that the old one has nothing for. They keep their values when a row comes from the old side, and must be nullable or have a default. */
  readonly newOnly?: readonly string[];
  /** Columns of the old table that the new one has nothing for, likewise. */
  readonly oldOnly?: readonly string[];
  /** Rows with a file each. */
  readonly blob?: DescribedBlob;
  /** Numbers of new rows, when both sides make them. */
  readonly ids?: DescribedIds;
  /** Unique constraints and indexes over rows of several owners whose values can't meet, because each is made of the key or of a random number. */
  readonly distinct?: readonly string[];
  /** Triggers of the tables that do nothing with a row which the other side has taken already, such as one that only refuses what is incomplete. */
  readonly passive?: readonly string[];
  /** The new table's row for one of the old. `down(up(row))` must be `row`. Default: unchanged, without `oldOnly`. */
  readonly up?: (row: Row) => Row;
  /** The old table's row for one of the new. Default: unchanged, without `newOnly`. */
  readonly down?: (row: Row) => Row;
}

/** The same move the other way round: for the way back after it was completed. */
export function swapped(description: MoveDescription): MoveDescription {
  const { sides, fromTable, toTable, oldOnly, newOnly, up, down, ...same } = description;
  return {
    ...same,
    sides: { from: sides.to, to: sides.from },
    fromTable: toTable,
    toTable: fromTable,
    ...(newOnly && { oldOnly: newOnly }),
    ...(oldOnly && { newOnly: oldOnly }),
    ...(up && down && { up: down, down: up }),
  };
}

/** The description, or an error that says what is wrong with its words alone; what only the databases know is checked by `start`. */
export function checkDescription(description: MoveDescription): MoveDescription {
  const { name, sides, key, up, down, blob, ids } = description;
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(name))
    throw new Error(`${name}: a move's name is lower-case letters, digits and _, at most 40`);
  if (sides.from === sides.to) throw new Error(`${name}: both sides are called ${sides.from}`);
  // The names are values of a response header.
  for (const side of Object.values(sides))
    if (!/^[A-Za-z0-9_.-]+$/.test(side)) throw new Error(`${name}: "${side}" is no name of an upstream`);
  if (key.length === 0) throw new Error(`${name}: a move needs the columns of the key`);
  for (const [what, side] of [
    ['blob.pathsAt', blob?.pathsAt],
    ['ids.at', ids?.at],
  ])
    if (side !== undefined && !Object.values(sides).includes(side))
      throw new Error(`${name}: ${what} is ${side}, which is neither ${sides.from} nor ${sides.to}`);
  if (!up !== !down) throw new Error(`${name}: up and down come together`);
  return description;
}
