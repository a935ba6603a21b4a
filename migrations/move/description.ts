/** A row in transit: column → its text as Postgres writes it, or null. Texts, because numbers and dates of JavaScript lose digits. */
export type Row = Readonly<Record<string, string | null>>;

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
  /** The column with the sha256 of the row's blob, named alike in both tables. */
  readonly blob?: string;
  /**
   * Brings a blob to the other side from the one named, before the rows that refer to it, and often anew: where it is already there, nothing is to be done. It
   * is durable when this resolves; a row whose blob rejects is parked.
   */
  readonly copyBlob?: (sha256: string, fromSide: string) => Promise<void>;
  /** Unique constraints and indexes over rows of several owners whose values can't meet, because each is made of the key or of a random number. */
  readonly distinct?: readonly string[];
  /** The new table's row for one of the old. `down(up(row))` must be `row`. Default: unchanged, without `oldOnly`. */
  readonly up?: (row: Row) => Row;
  /** The old table's row for one of the new. Default: unchanged, without `newOnly`. */
  readonly down?: (row: Row) => Row;
}

/** The description, or an error that says what is wrong with its words alone; what only the databases know is checked by `start`. */
export function checkDescription(description: MoveDescription): MoveDescription {
  const { name, sides, key, up, down } = description;
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(name))
    throw new Error(`${name}: a move's name is lower-case letters, digits and _, at most 40`);
  if (sides.from === sides.to) throw new Error(`${name}: both sides are called ${sides.from}`);
  // The names are values of a response header.
  for (const side of Object.values(sides))
    if (!/^[A-Za-z0-9_.-]+$/.test(side)) throw new Error(`${name}: "${side}" is no name of an upstream`);
  if (key.length === 0) throw new Error(`${name}: a move needs the columns of the key`);
  if (!up !== !down) throw new Error(`${name}: up and down come together`);
  return description;
}
