/*
 * What the model of the online move looks at: one bucket with two keys on two sides, two writers, two workers of the sync and two movers. Everything that
 * survives a kill is in `sides`; writers, workers and movers are processes, and what they hold is gone when they are. `acked`
 * and `issued` are what an onlooker remembers, to judge by; no step of the protocol reads them.
 */

/** 0 is the side that is left, 1 the one that is moved to. */
export type SideId = 0 | 1;
export type KeyId = 0 | 1;
export const SIDES = [0, 1] as const;
export const KEYS = [0, 1] as const;
/** For traces. */
export const SIDE_NAMES = ['old', 'new'] as const;
export const KEY_NAMES = ['A', 'B'] as const;

/** A row with its row_state. Epoch 0: the row is there, but it has no row_state yet, as it is older than the triggers. */
export interface Row {
  readonly epoch: number;
  readonly n: number;
  /** The writes that made this content, a bit each: every write reads what is there and adds itself, so a lost one shows. */
  readonly writes: number;
  readonly deleted: boolean;
  readonly dirty: boolean;
}

export type Pair<T> = readonly [T, T];
export type Rows = Pair<Row | null>;

/** One database. */
export interface Side extends Answer {
  readonly rows: Rows;
  /** Rows on the disk while the memory is ahead of it; null when it is not. Only commits that don't wait for the disk make it so. */
  readonly disk: Rows | null;
}

/** `begun`: a REPEATABLE READ transaction has its snapshot, of this epoch. `written`: fenced, marked and uncommitted, with the bucket's shared lock and the row's. */
export type Writer =
  | { readonly at: 'idle' }
  | { readonly at: 'begun'; readonly side: SideId; readonly epoch: number }
  | { readonly at: 'written'; readonly side: SideId; readonly key: KeyId; readonly row: Row };

/** `read` and `applied` hold what was sent; `torn` only its content, a step that the correct protocol does not have. */
export type Worker =
  | { readonly at: 'idle' }
  | {
      readonly at: 'torn' | 'read' | 'applied';
      readonly from: SideId;
      readonly key: KeyId;
      readonly row: Row;
    };

/**
 * A handover away from `from`; `epoch` is the one it makes. `decided`: the other side's row was told, or had an answer before; `answered` has read that answer.
 * `emptied` is a step that the correct protocol does not have.
 */
export type Mover =
  | { readonly at: 'idle' }
  | {
      readonly at: 'emptied' | 'fenced' | 'drained' | 'decided';
      readonly from: SideId;
      readonly epoch: number;
    }
  | {
      readonly at: 'answered';
      readonly from: SideId;
      readonly epoch: number;
      readonly answer: Answer;
    };

/** What is in the row of a bucket. */
export interface Answer {
  readonly home: SideId;
  readonly epoch: number;
  readonly moving: boolean;
}

export interface State {
  readonly sides: Pair<Side>;
  readonly writers: Pair<Writer>;
  readonly workers: Pair<Worker>;
  readonly movers: Pair<Mover>;
  /** Acknowledged writes per key; the next one takes the bit of this number. */
  readonly acked: Pair<number>;
  /** Every version issued per key, with its content, oldest first. */
  readonly issued: Pair<readonly Row[]>;
}

export const IDLE = { at: 'idle' } as const;

/** Key A is there since before the move, key B is not. */
export function initialState(): State {
  const old: Row = { epoch: 0, n: 0, writes: 1, deleted: false, dirty: false };
  const side = { home: 0, epoch: 1, moving: false, disk: null } as const;
  return {
    sides: [
      { ...side, rows: [old, null] },
      { ...side, rows: [null, null] },
    ],
    writers: [IDLE, IDLE],
    workers: [IDLE, IDLE],
    movers: [IDLE, IDLE],
    acked: [1, 0],
    issued: [[old], []],
  };
}

export function other(side: SideId): SideId {
  return side === 0 ? 1 : 0;
}

export function replaced<T>(pair: Pair<T>, at: 0 | 1, value: T): Pair<T> {
  return at === 0 ? [value, pair[1]] : [pair[0], value];
}

/** The same, and the onlooker has seen the version. */
export function withIssued(state: State, key: KeyId, row: Row): State {
  return { ...state, issued: replaced(state.issued, key, [...state.issued[key], row]) };
}

export function withSide(state: State, at: SideId, changes: Partial<Side>): State {
  return { ...state, sides: replaced(state.sides, at, { ...state.sides[at], ...changes }) };
}

export function withRow(state: State, at: SideId, key: KeyId, row: Row | null): State {
  return withSide(state, at, { rows: replaced(state.sides[at].rows, key, row) });
}

/** Above zero: `a` is the newer version. No row is older than any. */
export function compareVersions(a: Row | null, b: Row | null): number {
  return (a?.epoch ?? -1) - (b?.epoch ?? -1) || (a?.n ?? -1) - (b?.n ?? -1);
}

export function sameContent(a: Row, b: Row): boolean {
  return a.writes === b.writes && a.deleted === b.deleted;
}

export function isLocked({ writers }: State, side: SideId, key: KeyId): boolean {
  return writers.some((writer) => writer.at === 'written' && writer.side === side && writer.key === key);
}
