import { BUCKETS, type Histogram } from './histogram.ts';

/** What one upstream did in a span of time. */
export interface SideWindow {
  readonly requests: number;
  /** Answers the upstream did not give, or gave as 5xx, before any fallback. */
  readonly errors: number;
  /** Of the errors, those of an open breaker: the upstream was not even asked. */
  readonly open: number;
  /** How long its answers took. A request that an open breaker stopped took no time, so it is not in here. */
  readonly histogram: Histogram;
}

/** A SideWindow that is being added to. */
export interface Sum {
  requests: number;
  errors: number;
  open: number;
  readonly histogram: Float64Array;
}

/** One unit of time. */
interface Cell {
  /** Its number, counted from the epoch. */
  unit: number;
  requests: number;
  errors: number;
  open: number;
  readonly histogram: Uint32Array;
  /** The buckets that hold something lie from `first` to `last`. */
  first: number;
  last: number;
}

export interface Ring {
  /** Notes `count` requests at `at` (milliseconds since the epoch); bucket -1: no duration. */
  note(at: number, bucket: number, isError: boolean, isOpen: boolean, count: number): void;
  /** Adds what was noted elsewhere. */
  addSide(at: number, side: SideWindow): void;
  /** Adds to `sum` what was noted from `from` to before `to`, in whole units: one that has begun counts. */
  addTo(sum: Sum, from: number, to: number): void;
}

export function emptySum(): Sum {
  return { requests: 0, errors: 0, open: 0, histogram: new Float64Array(BUCKETS) };
}

export function addSide(sum: Sum, side: SideWindow): void {
  sum.requests += side.requests;
  sum.errors += side.errors;
  sum.open += side.open;
  for (let bucket = 0; bucket < side.histogram.length; bucket++)
    sum.histogram[bucket]! += side.histogram[bucket]!;
}

/**
 * The last `length` units of time, each `unit` milliseconds. A place is made when it is first used and used again ever after, so that noting a
 * request makes nothing, and a side without traffic costs nothing.
 */
export function createRing(unit: number, length: number): Ring {
  const cells: (Cell | undefined)[] = Array.from({ length });

  /** The place of a moment, emptied when it held an older one; null: the moment is older than what is kept. */
  function cellAt(at: number): Cell | null {
    const number = Math.floor(at / unit);
    const cell = cells[number % length];
    if (cell === undefined) {
      const made = {
        unit: number,
        requests: 0,
        errors: 0,
        open: 0,
        histogram: new Uint32Array(BUCKETS),
        first: BUCKETS,
        last: -1,
      };
      cells[number % length] = made;
      return made;
    }
    if (cell.unit === number) return cell;
    if (cell.unit > number) return null;
    cell.unit = number;
    cell.requests = cell.errors = cell.open = 0;
    cell.histogram.fill(0);
    cell.first = BUCKETS;
    cell.last = -1;
    return cell;
  }

  return {
    note(at, bucket, isError, isOpen, count) {
      const cell = cellAt(at);
      if (cell === null) return;
      cell.requests += count;
      if (isError) cell.errors += count;
      if (isOpen) cell.open += count;
      if (bucket >= 0) put(cell, bucket, count);
    },
    addSide(at, side) {
      const cell = cellAt(at);
      if (cell === null) return;
      cell.requests += side.requests;
      cell.errors += side.errors;
      cell.open += side.open;
      for (let bucket = 0; bucket < side.histogram.length; bucket++)
        if (side.histogram[bucket]! > 0) put(cell, bucket, side.histogram[bucket]!);
    },
    addTo(sum, from, to) {
      const last = Math.ceil(to / unit);
      const first = Math.max(Math.floor(from / unit), last - length);
      for (let number = first; number < last; number++) {
        const cell = cells[number % length];
        if (cell?.unit === number) addCell(sum, cell);
      }
    },
  };
}

function put(cell: Cell, bucket: number, count: number): void {
  cell.histogram[bucket]! += count;
  if (bucket < cell.first) cell.first = bucket;
  if (bucket > cell.last) cell.last = bucket;
}

/** Thousands of places are summed at a look, most of them with few buckets in use. */
function addCell(sum: Sum, cell: Cell): void {
  sum.requests += cell.requests;
  sum.errors += cell.errors;
  sum.open += cell.open;
  const { histogram, last } = cell;
  for (let bucket = cell.first; bucket <= last; bucket++) sum.histogram[bucket]! += histogram[bucket]!;
}
