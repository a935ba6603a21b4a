import { randomUUID } from 'node:crypto';
import { Problem } from '../errors.ts';
import type { Journal, MoveEntry, MoveView } from '../journal/journal.ts';
import { changeOf, viewOf } from './change.ts';
import { isMoveName, type MoveReport } from './report.ts';

/** Moves that are kept at once. */
const MAX_MOVES = 32;
/** Keys that wait for a runner one by one; with more, all of them do. */
const MAX_KEYS = 100;
/** Milliseconds after which a runner that says nothing is not taken for running any more. */
const SILENCE = 10_000;

/** What waits for the runner of a move. */
export interface Commands {
  /** Keys of parked rows to try again at once, or all of them; null: none. */
  readonly retry: readonly string[] | 'all' | null;
}

/** A move as its runner told it last. */
export interface MoveJson extends MoveReport {
  readonly name: string;
  /** ISO 8601, UTC: when that was. */
  readonly heardAt: string;
  /** The same when it was too long ago for a runner that runs; else null. */
  readonly silentSince: string | null;
  /** What waits for its runner. */
  readonly retry: Commands['retry'];
}

/** Who asks for something, and why. */
export interface Asked {
  readonly who: string;
  readonly why: string;
}

/** The moves of data that runners report. The router makes none and asks no database: it knows what it was told, and only shows it. */
export interface Moves {
  /** A runner tells how far it is, and takes what waits for it. Throws Problem for a name that is none, and for one too many. */
  report(name: string, report: MoveReport): Commands;
  /** In the order of their names. */
  all(): readonly MoveJson[];
  /** Throws Problem when no runner has reported it since this router was started. */
  one(name: string): MoveJson;
  /** Whether rows have moved from one side to another for good, as far as was told, and none are on their way between the two. */
  areOver(from: string, to: string): boolean;
  /** Has the runner try parked rows again; `key` null: all of them. Throws Problem. */
  retry(name: string, key: string | null, asked: Asked): void;
  /** Journals what a person did to the move in its databases. Throws Problem. */
  note(name: string, action: string, asked: Asked): void;
}

interface Known {
  readonly report: MoveReport;
  readonly heardAt: number;
}

/** `now`: milliseconds since the epoch. */
export function createMoves({
  journal,
  now,
}: {
  readonly journal: Pick<Journal, 'append' | 'history'>;
  readonly now: () => number;
}): Moves {
  const known = new Map<string, Known>();
  const waiting = new Map<string, Set<string> | 'all'>();

  const isSilent = ({ heardAt }: Known): boolean => now() - heardAt > SILENCE;

  /** What the journal says of it last: a restarted router goes on from there, and so does another one on the same folder. */
  const lastView = (name: string): MoveView | null => {
    const entry = journal
      .history()
      .findLast((each): each is MoveEntry => 'move' in each && each.move === name && each.after !== null);
    return entry?.after ?? null;
  };
  const append = (entry: Omit<MoveEntry, 'id' | 'at'>): void =>
    journal.append({
      kind: 'move',
      entry: { id: randomUUID(), at: new Date(now()).toISOString(), ...entry },
    });

  const makeRoom = (): void => {
    if (known.size < MAX_MOVES) return;
    const [oldest] = [...known].toSorted(([, one], [, other]) => one.heardAt - other.heardAt);
    if (!oldest || !isSilent(oldest[1]))
      throw new Problem('TOO_MANY_MOVES', `${MAX_MOVES} moves are reported already`);
    known.delete(oldest[0]);
    waiting.delete(oldest[0]);
  };

  const retryOf = (name: string): Commands['retry'] => {
    const keys = waiting.get(name);
    return keys === undefined ? null : keys === 'all' ? 'all' : [...keys];
  };
  const jsonOf = (name: string, one: Known): MoveJson => {
    const heardAt = new Date(one.heardAt).toISOString();
    return {
      name,
      ...one.report,
      heardAt,
      silentSince: isSilent(one) ? heardAt : null,
      retry: retryOf(name),
    };
  };
  const found = (name: string): Known => {
    const one = known.get(name);
    if (!one)
      throw new Problem(
        'NOT_FOUND',
        `no runner has reported a move "${name}" to this router; strangler move run ${name} does`,
      );
    return one;
  };

  return {
    report(name, report) {
      checkName(name);
      const before = known.get(name);
      if (!before) makeRoom();
      const after = viewOf(report);
      const last = before ? viewOf(before.report) : lastView(name);
      known.set(name, { report, heardAt: now() });
      // The journal is read only where something may have happened: reports come every second.
      if (!before || changeOf(last, after, report.sides.to) !== null) {
        const said = lastView(name);
        const change = changeOf(said, after, report.sides.to);
        if (change) append({ move: name, ...change, who: 'mover', before: said, after });
      }
      const retry = retryOf(name);
      waiting.delete(name);
      return { retry };
    },
    all: () =>
      [...known]
        .toSorted(([one], [other]) => one.localeCompare(other))
        .map(([name, one]) => jsonOf(name, one)),
    one: (name) => jsonOf(name, found(name)),
    areOver(from, to) {
      const between = [...known.values()]
        .map(({ report }) => report)
        .filter(({ sides }) => [from, to].every((side) => [sides.from, sides.to].includes(side)));
      return (
        between.length > 0 && between.every(({ phase, sides }) => phase === 'complete' && sides.to === to)
      );
    },
    retry(name, key, { who, why }) {
      const view = viewOf(found(name).report);
      const keys = waiting.get(name) ?? new Set();
      if (key === null || keys === 'all' || (keys.size >= MAX_KEYS && !keys.has(key)))
        waiting.set(name, 'all');
      else waiting.set(name, keys.add(key));
      const what = key === null ? 'all parked rows' : key;
      append({ move: name, action: 'retry', who, why: `${why} (${what})`, before: view, after: view });
    },
    note(name, action, { who, why }) {
      checkName(name);
      const before = lastView(name);
      const after = before && action === 'clear' ? { ...before, corrupt: null } : before;
      append({ move: name, action, who, why, before, after });
    },
  };
}

function checkName(name: string): void {
  if (!isMoveName(name))
    throw new Problem(
      'BAD_REQUEST',
      `"${name}" is no name of a move: lower-case letters, digits and _, at most 40`,
    );
}
