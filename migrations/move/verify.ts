import { refuseChanged } from './changed.ts';
import { rowOf } from './pending.ts';
import type { Move } from './side.ts';
import { countUnmarked, lookAgain, ranges, type State } from './states.ts';
import { verifyBlobs } from './verify-blobs.ts';

export interface Verified {
  /** Keys compared; deleted ones too. */
  readonly rows: number;
  /** Keys of which one side is about to get a newer version. */
  readonly lagging: number;
  /** Blobs read at both sides. */
  readonly blobs: number;
  /** What is wrong, a sentence a key; the first hundred. */
  readonly corrupt: readonly string[];
}

const MOST = 100;

/**
 * Compares every row of both sides, while both are written. Versions make it free of false alarms: of one version there is one content, and a row that is
 * not marked for sending has arrived. What it finds is kept in both databases and stops handovers until a person took it away; when it finds nothing, handovers
 * are free for a time. `chunk`: keys read at once. Rejects with `Changed`, and keeps nothing, when a table has other columns.
 */
export async function verify(move: Move, chunk = 2000): Promise<Verified> {
  const { description, from, to } = move;
  await refuseChanged(move);
  const corrupt: string[] = [];
  const found = (sentence: string): void => void (corrupt.length < MOST && corrupt.push(sentence));
  let rows = 0;
  let lagging = 0;
  const { rows: begun } = await from.pool.query<{ at: string }>('SELECT clock_timestamp()::text AS at');
  for await (const [old, young] of ranges(move, chunk)) {
    for (const key of new Set([...old.keys(), ...young.keys()])) {
      rows += 1;
      const finding = judge(move, old.get(key), young.get(key));
      const reason = finding === 'look again' ? await lookAgain(move, key) : finding;
      if (reason === 'lagging') lagging += 1;
      else if (reason) found(`key ${key}: ${reason}`);
    }
  }
  const unmarked = await Promise.all([from, to].map((side) => countUnmarked(description, side)));
  for (const [index, { name }] of [from, to].entries())
    if (unmarked[index]! > 0) found(`${unmarked[index]} rows of ${name} were written without being marked`);
  const blobs = await verifyBlobs(move, found);
  for (const { pool } of [from, to])
    await pool.query(
      corrupt.length > 0
        ? 'UPDATE strangler.move SET corrupt = coalesce(corrupt, $2) WHERE name = $1'
        : 'UPDATE strangler.move SET verified_at = $2::timestamptz WHERE name = $1 AND corrupt IS NULL',
      [description.name, corrupt[0] ?? begun[0]!.at],
    );
  return { rows, lagging, blobs, corrupt };
}

/** What is wrong with two states of a key, read at about the same time; undefined when nothing is. */
function judge({ from, to }: Move, old: State | undefined, young: State | undefined): string | undefined {
  for (const [state, { name }] of [
    [old, from],
    [young, to],
  ] as const) {
    if (state && state.deleted && state.texts) return `${name} has a row that is recorded as deleted`;
    if (state && !state.deleted && !state.texts)
      return `${name} has no row, but nothing recorded its deletion`;
  }
  if (!old || !young || old.epoch !== young.epoch || old.n !== young.n) return 'look again';
  if (old.deleted !== young.deleted) return 'one version, deleted on one side only';
  if (old.deleted) return undefined;
  const expected = to.adopt(rowOf(from, old.texts!));
  const found = rowOf(to, young.texts!);
  const differing = Object.keys(expected).filter((column) => expected[column] !== found[column]);
  return differing.length > 0 ? `one version, but ${differing.join(', ')} differ` : undefined;
}
