import { quote } from './columns.ts';
import type { MoveDescription } from './description.ts';
import { contentSql, withContentSql } from './pending.ts';
import { transaction, type Move, type Side } from './side.ts';

/** What a side has of a key at one moment. 64-bit numbers are texts. */
export interface State {
  readonly epoch: string;
  readonly n: string;
  readonly deleted: boolean;
  readonly dirty: boolean;
  /** The row's columns in the order of the side's, or null when there is no row. */
  readonly texts: readonly (string | null)[] | null;
}

/** States by key, in the order of the keys' bytes. */
export type States = Map<string, State>;

/**
 * All keys that either side has ever had, in ranges of some `chunk`, with what both sides have of them. While one range is looked at the next is read, so
 * two are in memory.
 */
export async function* ranges(move: Move, chunk: number): AsyncGenerator<readonly [States, States]> {
  type Range = readonly [old: States, young: States, last: string | null];
  const readBoth = async (after: string): Promise<Range> => {
    const [old, young] = await Promise.all([
      readStates(move.description, move.from, { after, limit: chunk }),
      readStates(move.description, move.to, { after, limit: chunk }),
    ]);
    // What a side has beyond the last key of one that was cut off belongs to the next range.
    const ends = [old, young]
      .filter(({ size }) => size === chunk)
      .map((states) => [...states.keys()].at(-1)!);
    const last = ends.length === 0 ? null : ends.reduce((a, b) => (isBefore(b, a) ? b : a));
    if (last !== null) for (const states of [old, young]) cut(states, last);
    return [old, young, last];
  };
  for (let next: ReturnType<typeof readBoth> | null = readBoth(''); next;) {
    const [old, young, last]: Range = await next;
    next = last === null ? null : readBoth(last);
    // Whoever looks at this range may fail first.
    next?.catch(() => undefined);
    yield [old, young];
  }
}

function cut(states: States, last: string): void {
  for (const key of [...states.keys()].toReversed()) {
    if (!isBefore(last, key)) return;
    states.delete(key);
  }
}

/** As the databases compare: JavaScript's own order differs for characters beyond U+FFFF. */
const isBefore = (a: string, b: string): boolean => Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;

async function readStates(
  { name, key }: MoveDescription,
  side: Side,
  which: { readonly after: string; readonly limit: number } | { readonly key: string },
): Promise<States> {
  const some = 'key' in which ? 'key = $1' : `key > $1 ORDER BY key LIMIT ${Math.trunc(which.limit)}`;
  const { rows } = await side.pool.query<
    [string, string, string, boolean, boolean, string | null, ...(string | null)[]]
  >({
    text: `
      SELECT s.key, s.epoch::text, s.n::text, s.deleted, s.dirty, ${contentSql(key, side)}
      FROM (SELECT * FROM strangler.${name}_row_state WHERE ${some}) s ${withContentSql(key, side)}
      ORDER BY s.key`,
    values: ['key' in which ? which.key : which.after],
    rowMode: 'array',
  });
  return new Map(
    rows.map(([key, epoch, n, deleted, dirty, exists, ...texts]) => [
      key,
      { epoch, n, deleted, dirty, texts: exists === null ? null : texts },
    ]),
  );
}

/**
 * Of a key whose versions differed: the side that has more is read first. If it is not marked for sending, the other must have it. Answers what is wrong, `lagging`
 * when a newer version is about to be sent, or undefined.
 */
export async function lookAgain({ description, from, to }: Move, key: string): Promise<string | undefined> {
  const read = async (side: Side): Promise<State | undefined> =>
    (await readStates(description, side, { key })).get(key);
  const [a, b] = await Promise.all([read(from), read(to)]);
  const [ahead, behind] = isOlder(a, b) ? [to, from] : [from, to];
  const more = await read(ahead);
  const less = await read(behind);
  if (!isOlder(less, more)) return undefined;
  return more!.dirty
    ? 'lagging'
    : `${behind.name} has an older version, but ${ahead.name} believes it has this one`;
}

function isOlder(a: State | undefined, b: State | undefined): boolean {
  if (!a || !b) return b !== undefined;
  return BigInt(a.epoch) < BigInt(b.epoch) || (a.epoch === b.epoch && BigInt(a.n) < BigInt(b.n));
}

/** Milliseconds a table may be locked before the look at all of it is given up. */
const LOCK_TIMEOUT = 1000;

/** Rows without a state, once all have one: they were written past the triggers. */
export async function countUnmarked({ name, key }: MoveDescription, side: Side): Promise<number> {
  const keyOf = `jsonb_build_array(${key.map((column) => `t.${quote(column)}::text`).join(', ')})::text`;
  return transaction(
    side,
    LOCK_TIMEOUT,
    async (client) => {
      const { rows } = await client.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM ${side.table} t
         WHERE NOT EXISTS (SELECT FROM strangler.${name}_row_state s WHERE s.key = ${keyOf})
           AND (SELECT backfilled_at IS NOT NULL FROM strangler.move WHERE name = $1)`,
        [name],
      );
      return rows[0]!.count;
    },
    'SET LOCAL enable_hashjoin = on; SET LOCAL enable_seqscan = on',
  );
}
