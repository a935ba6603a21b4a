import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { enter, type Ledger } from './ledger.ts';
import { LEVELS, transact, type Deed } from './transaction.ts';

export interface ClientOptions {
  readonly name: string;
  readonly random: () => number;
  readonly keys: number;
  readonly owners: number;
  readonly signal: AbortSignal;
}

/** Some write of a row that all clients share. */
export function someDeed({ random, keys, owners }: ClientOptions, op: string): Deed {
  const kind = random();
  const isLong = random() < 0.06;
  const id = 1 + Math.floor(random() * keys);
  const level = LEVELS[Math.floor(random() * LEVELS.length)]!;
  return {
    kind: kind < 0.08 ? 'delete' : kind < 0.12 ? 'give' : 'put',
    op,
    id,
    // A new row has the key's own owner: two sides must not give one key to two owners, which the plan of a move refuses.
    owner: kind < 0.12 ? 1 + Math.floor(random() * owners) : 1 + (id % owners),
    level,
    pauses: isLong ? [random() * 60, random() * 60] : [0, 0],
    isWatched: random() < 0.25,
  };
}

/** Appends to, deletes, resurrects and gives away rows by SQL, at whichever side it believes to be their home. */
export async function client(
  options: ClientOptions & { readonly sides: readonly [pg.Pool, pg.Pool] },
  ledger: Ledger,
): Promise<void> {
  const { random, sides, signal } = options;
  let side = 0;
  for (let i = 0; !signal.aborted; i += 1) {
    const deed = someDeed(options, `${options.name}-${i}`);
    for (let attempt = 0; attempt < 4 && !signal.aborted; attempt += 1) {
      const done = await transact(sides[side]!, deed);
      enter(ledger, deed, done);
      if (done.what === 'done' || done.what === 'unknown') break;
      // 421: the other side; anything else: the same again, or not.
      if (done.what === 'elsewhere') side = 1 - side;
      else if (random() < 0.5) break;
      if (done.what === 'down') await wait(50);
    }
    // Clients that know nothing try anywhere.
    if (random() < 0.2) side = 1 - side;
  }
}
