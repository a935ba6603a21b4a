import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';

/** Whether the other side has what was just written to a picture. */
export type Mirrored = (id: string) => Promise<boolean>;

export interface MirroredOptions {
  readonly pool: pg.Pool;
  /** One query with the id as $1, a text, that answers one boolean. Whoever moves the data gives it; this service knows nothing of how. */
  readonly sql: string;
  /** Milliseconds a write waits for it. Default 250. */
  readonly patience?: number;
  /** Milliseconds from one look to the next. Default 5. */
  readonly pause?: number;
}

/** Looks until it is so, or patience ends. Never rejects: the write is done, and what fails here is only the news. */
export function askMirrored({ pool, sql, patience = 250, pause = 5 }: MirroredOptions): Mirrored {
  return async (id) => {
    const end = Date.now() + patience;
    try {
      for (;;) {
        const { rows } = await pool.query<[boolean | null]>({ text: sql, values: [id], rowMode: 'array' });
        if (rows[0]?.[0] === true) return true;
        if (Date.now() + pause >= end) return false;
        await wait(pause);
      }
    } catch {
      return false;
    }
  };
}
