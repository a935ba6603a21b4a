import { literal } from './columns.ts';
import { Refused, unsettled } from './handover.ts';
import { readHomes } from './homes.ts';
import { leaseForEver } from './ids.ts';
import { countBacklog } from './progress.ts';
import { advance, readRecord } from './record.ts';
import { transaction, type Move, type Side } from './side.ts';
import { dropObjectsSql } from './objects.ts';
import { verify } from './verify.ts';

/**
 * Ends the move at the side that is the home of every bucket, in one transaction that no fence can come between. Answers false, and does nothing, when that
 * side is not the home of all.
 */
async function endAt(
  { description: { name }, from, to }: Move,
  phase: 'complete' | 'cancelled',
): Promise<boolean> {
  const home = phase === 'complete' ? to : from;
  return transaction(home, LOCK_TIMEOUT, async (client) => {
    await client.query(`LOCK TABLE strangler.${name}_bucket IN SHARE ROW EXCLUSIVE MODE`);
    const { rowCount } = await client.query(
      `SELECT FROM strangler.${name}_bucket WHERE home <> $1 OR moving LIMIT 1`,
      [home.name],
    );
    if (rowCount! > 0) return false;
    await client.query('UPDATE strangler.move SET phase = $2 WHERE name = $1', [name, phase]);
    return true;
  });
}

/** Milliseconds these wait for transactions that use a table, during which writes wait too. */
const LOCK_TIMEOUT = 2000;
/** How often they try: between two tries those who waited behind them go first. */
const TRIES = 10;

/** Again when a lock could not be had (55P03), or two waited for each other (40P01). Rejects with `Refused` when it was so each time. */
async function insist<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1)
    try {
      return await work();
    } catch (error) {
      const isLocked = ['55P03', '40P01'].includes(String((error as { code?: unknown }).code));
      if (!isLocked) throw error;
      if (attempt === TRIES)
        throw new Refused('a transaction that uses the tables does not end; say it again when it has', {
          cause: error,
        });
    }
}

/**
 * Ends a move whose buckets are all at the new side: from here nothing is sent back. The new side's triggers go; the old side's fence stays and goes on
 * refusing writes. Once more after a crash it does what is missing. Rejects with `Refused` while something is not at rest.
 */
export async function complete(move: Move): Promise<void> {
  const { description, from, to } = move;
  const { name } = description;
  const { phase } = await readRecord(move);
  if (phase !== 'complete') {
    if (phase !== 'soak')
      throw new Refused(`${name} is in the phase ${phase}; only after soak it can be completed`);
    const { corrupt } = await verify(move);
    if (corrupt.length > 0) throw new Refused(`${name}: the sides differ: ${corrupt[0]}`);
    const { misplaced } = await readHomes(move, 100);
    if (misplaced.length > 0 || (await unsettled(move)).length > 0)
      throw new Refused(`${name}: ${misplaced.length} buckets are not at ${to.name}`);
    if ((await countBacklog(description, from, 1)) > 0)
      throw new Refused(`${name}: rows of ${from.name} wait to be sent`);
    const record = await readRecord(move);
    if (record.corrupt) throw new Refused(`${name}: the sides differ: ${record.corrupt}`);
    // The new side first: from here no bucket leaves it, and a complete that is cut short can be told again.
    const isEnded = await insist(() => endAt(move, 'complete'));
    if (!isEnded || (await advance(move, 'complete')) === undefined) {
      if (isEnded) await to.pool.query('UPDATE strangler.move SET phase = $2 WHERE name = $1', [name, phase]);
      throw new Refused(`${name}: somebody changed its phase or homes meanwhile`);
    }
  }
  await leaseForEver(move);
  await insist(() =>
    transaction(to, LOCK_TIMEOUT, async (client) => {
      for (const what of ['fence', 'mark', 'no_truncate'])
        await client.query(`DROP TRIGGER IF EXISTS zz_strangler_${name}_${what} ON ${to.table}`);
      await client.query(`UPDATE strangler.move SET phase = 'complete' WHERE name = $1`, [name]);
    }),
  );
}

/**
 * Gives a move up whose buckets are all at the old side: empties the new table and takes the move's objects away from both databases. Once more after a crash
 * it does what is missing. Rejects with `Refused` when the new side is the home of anything.
 */
export async function cancel(move: Move): Promise<void> {
  const { description, from, to } = move;
  const { name } = description;
  const { phase } = await readRecord(move);
  if (phase !== 'cancelled') {
    if (phase === 'soak' || phase === 'complete')
      throw new Refused(
        `${name} is in the phase ${phase}; bring it back first: strangler move reverse ${name}`,
      );
    const { misplaced } = await readHomes(move, 0);
    if (misplaced.length > 0 || !(await insist(() => endAt(move, 'cancelled'))))
      throw new Refused(
        `${name}: buckets are at ${to.name}; bring them back first: strangler move reverse ${name}`,
      );
  }
  // The new side first: while the old one has its row, a cancel that was cut short can be told again.
  const { rowCount } = await to.pool.query('SELECT FROM strangler.move WHERE name = $1', [name]);
  if (rowCount! > 0) {
    await insist(() =>
      transaction(to, LOCK_TIMEOUT, async (client) => {
        await client.query(`SET LOCAL strangler.sync = ${literal(name)}`);
        await client.query(`DELETE FROM ${to.table}`);
      }),
    );
    await insist(() => removeObjects(move, to));
  }
  await insist(() => removeObjects(move, from));
}

/** The table stays as it is. */
async function removeObjects({ description: { name } }: Move, side: Side): Promise<void> {
  await transaction(side, LOCK_TIMEOUT, async (client) => {
    await client.query(dropObjectsSql(name, side));
    await client.query('DELETE FROM strangler.move WHERE name = $1', [name]);
  });
}

/**
 * Takes away what a completed move has left: the rows of the old side, which nobody writes any more, and the move's objects in both databases. What stays is
 * the files of the old side, and one row in both databases that says where the data is. Once more after a crash it does what is missing. Rejects with `Refused` in another phase.
 */
export async function contract(move: Move): Promise<void> {
  const { description, from, to } = move;
  const { phase } = await readRecord(move);
  if (phase !== 'complete')
    throw new Refused(
      `${description.name} is in the phase ${phase}; only what is complete can be contracted: strangler move complete ${description.name}`,
    );
  const end = `UPDATE strangler.move SET phase = 'contracted' WHERE name = $1`;
  // The old side last: while it says `complete`, a contract that was cut short can be told again.
  await insist(() =>
    transaction(to, LOCK_TIMEOUT, async (client) => {
      await client.query(dropObjectsSql(description.name, to));
      await client.query(end, [description.name]);
    }),
  );
  await insist(() =>
    transaction(from, LOCK_TIMEOUT, async (client) => {
      await client.query(`SET LOCAL strangler.sync = ${literal(description.name)}`);
      await client.query(`DELETE FROM ${from.table}`);
      await client.query(dropObjectsSql(description.name, from));
      await client.query(end, [description.name]);
    }),
  );
}
