import type { MoveDescription, Row } from './description.ts';
import { contentSql, keySql, rowOf } from './pending.ts';
import type { Move, Side } from './side.ts';

export interface Verified {
  /** Keys compared; deleted ones too. */
  readonly rows: number;
  /** Keys of which one side is about to get a newer version. */
  readonly lagging: number;
  /** What is wrong, a sentence a key; the first hundred. */
  readonly corrupt: readonly string[];
}

interface State {
  readonly epoch: bigint;
  readonly n: bigint;
  readonly deleted: boolean;
  readonly dirty: boolean;
  readonly row: Row | null;
}

const MOST = 100;

/**
 * Compares every row of both sides, while both are written. Versions make it free of false alarms: of one version there is one content, and a row that is
 * not marked for sending has arrived. What it finds is kept in both databases and stops handovers until a person took it away; when it finds nothing, handovers
 * are free for a time. `chunk`: keys read at once.
 */
export async function verify(move: Move, chunk = 500): Promise<Verified> {
  const { description, from, to } = move;
  const corrupt: string[] = [];
  let rows = 0;
  let lagging = 0;
  const { rows: begun } = await from.pool.query<{ at: string }>('SELECT clock_timestamp()::text AS at');
  for (const [side, other] of [
    [from, to],
    [to, from],
  ] as const) {
    for await (const keys of keysOf(description, side, chunk)) {
      const first = side === from ? await read(description, side, keys) : new Map<string, State>();
      const second = await read(description, other, keys);
      rows += side === from ? keys.length : 0;
      // The way back only looks for keys that the first way could not meet.
      for (const key of side === from ? keys : keys.filter((one) => !second.has(one))) {
        const finding = judge(move, side, first.get(key), second.get(key));
        const reason = finding === 'look again' ? await lookAgain(move, key) : finding;
        if (reason === 'lagging') lagging += 1;
        else if (reason && corrupt.length < MOST) corrupt.push(`key ${key}: ${reason}`);
      }
    }
    const unmarked = await countUnmarked(description, side);
    if (unmarked > 0) corrupt.push(`${unmarked} rows of ${side.name} were written without being marked`);
  }
  for (const { pool } of [from, to])
    await pool.query(
      corrupt.length > 0
        ? 'UPDATE strangler.move SET corrupt = coalesce(corrupt, $2) WHERE name = $1'
        : 'UPDATE strangler.move SET verified_at = $2::timestamptz WHERE name = $1 AND corrupt IS NULL',
      [description.name, corrupt[0] ?? begun[0]!.at],
    );
  return { rows, lagging, corrupt };
}

/** All keys that a side has ever had, in the order of its own database: two databases may sort differently. */
async function* keysOf({ name }: MoveDescription, { pool }: Side, chunk: number): AsyncGenerator<string[]> {
  for (let after: string | undefined; ;) {
    const { rows } = await pool.query<{ key: string }>(
      `SELECT key::text AS key FROM strangler.${name}_row_state ${after === undefined ? '' : 'WHERE key > $1::jsonb'} ORDER BY key LIMIT ${chunk}`,
      after === undefined ? [] : [after],
    );
    if (rows.length === 0) return;
    after = rows.at(-1)!.key;
    yield rows.map(({ key }) => key);
  }
}

/** Versions and contents of one moment. */
async function read(
  { name, key }: MoveDescription,
  side: Side,
  keys: readonly string[],
): Promise<Map<string, State>> {
  const { rows } = await side.pool.query<
    [string, string, string, boolean, boolean, string | null, ...(string | null)[]]
  >({
    text: `
      SELECT s.key::text, s.epoch::text, s.n::text, s.deleted, s.dirty, ${contentSql(key, side)}
      FROM strangler.${name}_row_state s LEFT JOIN ${side.table} t ON ${keySql(key, side, 's.key')}
      WHERE s.key = ANY ($1::text[]::jsonb[])`,
    values: [keys],
    rowMode: 'array',
  });
  return new Map(
    rows.map(([key, epoch, n, deleted, dirty, exists, ...texts]) => [
      key,
      {
        epoch: BigInt(epoch),
        n: BigInt(n),
        deleted,
        dirty,
        row: exists === null ? null : rowOf(side, texts),
      },
    ]),
  );
}

/** What is wrong with two states of a key, the second read after the first; undefined when nothing is. */
function judge(
  { from, to }: Move,
  side: Side,
  first: State | undefined,
  second: State | undefined,
): string | undefined {
  const other = side === from ? to : from;
  for (const [state, { name }] of [
    [first, side],
    [second, other],
  ] as const) {
    if (state && state.deleted && state.row) return `${name} has a row that is recorded as deleted`;
    if (state && !state.deleted && !state.row) return `${name} has no row, but nothing recorded its deletion`;
  }
  if (!first || !second) return 'look again';
  if (first.epoch !== second.epoch || first.n !== second.n) return 'look again';
  if (first.deleted !== second.deleted) return 'one version, deleted on one side only';
  if (first.deleted) return undefined;
  const [old, young] = side === from ? [first.row!, second.row!] : [second.row!, first.row!];
  const expected = to.adopt(old);
  const differing = Object.keys(expected).filter((column) => expected[column] !== young[column]);
  return differing.length > 0 ? `one version, but ${differing.join(', ')} differ` : undefined;
}

/** Of a key whose versions differed: the side that has more is read first. If it is not marked for sending, the other must have it. */
async function lookAgain({ description, from, to }: Move, key: string): Promise<string | undefined> {
  const [a, b] = await Promise.all(
    [from, to].map(async (side) => (await read(description, side, [key])).get(key)),
  );
  const [ahead, behind] = isOlder(a, b) ? [to, from] : [from, to];
  const more = (await read(description, ahead, [key])).get(key);
  const less = (await read(description, behind, [key])).get(key);
  if (!isOlder(less, more)) return undefined;
  return more!.dirty
    ? 'lagging'
    : `${behind.name} has an older version, but ${ahead.name} believes it has this one`;
}

function isOlder(a: State | undefined, b: State | undefined): boolean {
  if (!a || !b) return b !== undefined;
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.n < b.n);
}

async function countUnmarked({ name, key }: MoveDescription, side: Side): Promise<number> {
  const keyOf = `jsonb_build_array(${key.map((column) => `t."${column.replaceAll('"', '""')}"::text`).join(', ')})`;
  const { rows } = await side.pool.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM ${side.table} t
     WHERE NOT EXISTS (SELECT FROM strangler.${name}_row_state s WHERE s.key = ${keyOf})
       AND (SELECT backfilled_at IS NOT NULL FROM strangler.move WHERE name = $1)`,
    [name],
  );
  return rows[0]!.count;
}
