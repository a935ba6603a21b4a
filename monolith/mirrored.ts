import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';

/** Whether the other side has what was just written of a picture. */
export type Mirrored = (id: string) => Promise<boolean>;

/** Milliseconds a write waits for the news at most, and from one look to the next. */
const PATIENCE = 250;
const PAUSE = 5;

/**
 * While the pictures' data moves, a write is best answered when the other side has it too: then whoever reads there sees it. `sql` is one query with the id as $1
 * that answers one boolean; whoever moves the data gives it. Never rejects: the write is done.
 */
export function askMirrored(pool: pg.Pool, sql: string): Mirrored {
  return async (id) => {
    try {
      for (const end = Date.now() + PATIENCE; Date.now() < end; await wait(PAUSE)) {
        const { rows } = await pool.query<[boolean]>({ text: sql, values: [id], rowMode: 'array' });
        if (rows[0]?.[0]) return true;
      }
    } catch {
      // Then the client is told that it may not be there yet.
    }
    return false;
  };
}
