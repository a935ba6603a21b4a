import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';

/** Work on a mail. Answers whether the mail was taken by the server. */
export type Work<T> = () => Promise<{ readonly isSent: boolean; readonly result: T }>;

export interface Inbox {
  /** How often work on a mail was begun and not ended: by a process that died, or by one that is at it. */
  begun(id: string): Promise<number>;
  /**
   * Runs the work, unless the mail was sent (`sent`), or somebody is at it now (`busy`). The row is locked meanwhile. `isFirst`: what was begun before does not count.
   * Rejects when the database can't be reached, with nothing sent.
   */
  once<T>(id: string, isFirst: boolean, work: Work<T>): Promise<T | 'sent' | 'busy'>;
  /** Forgets mails that came more than `days` ago; answers how many. */
  forget(days: number): Promise<number>;
}

export interface InboxOptions {
  readonly pool: pg.Pool;
  readonly log: { error(fields: object, text: string): void };
  /** Fires when the process must end although a mail that was sent could not be marked as such. */
  readonly giveUp: AbortSignal;
}

const ADD = `INSERT INTO email_api.inbox (message_id, begun) VALUES ($1, 1) ON CONFLICT (message_id) DO NOTHING RETURNING sent_at`;
const BEGIN_AGAIN = `
  UPDATE email_api.inbox i SET begun = CASE WHEN $2 THEN 1 ELSE i.begun + 1 END
  FROM (SELECT message_id FROM email_api.inbox WHERE message_id = $1 FOR UPDATE SKIP LOCKED) free
  WHERE i.message_id = free.message_id RETURNING i.sent_at`;
const BEGUN = `SELECT begun FROM email_api.inbox WHERE message_id = $1`;
const LOCK = `SELECT sent_at FROM email_api.inbox WHERE message_id = $1 FOR UPDATE SKIP LOCKED`;
const MARK = `INSERT INTO email_api.inbox (message_id, sent_at) VALUES ($1, now())
  ON CONFLICT (message_id) DO UPDATE SET sent_at = now(), begun = 0`;

/** Remembers which mails were sent, so that a job that is delivered again is not sent again. */
export function openInbox({ pool, log, giveUp }: InboxOptions): Inbox {
  interface Row {
    readonly sent_at: Date | null;
  }
  async function begin(id: string, isFirst: boolean): Promise<Row | undefined> {
    const added = await pool.query<Row>(ADD, [id]);
    return added.rows[0] ?? (await pool.query<Row>(BEGIN_AGAIN, [id, isFirst])).rows[0];
  }

  /** The one thing that is known here and nowhere else. Whoever forgets it sends the mail twice, so it is written as soon as that is possible. */
  async function markSent(id: string): Promise<void> {
    for (;;) {
      try {
        await pool.query(MARK, [id]);
        return;
      } catch (error) {
        log.error(
          { err: error, mail: id },
          'a mail that was sent could not be marked as sent; it is tried again',
        );
        await wait(500, undefined, { signal: giveUp });
      }
    }
  }

  async function once<T>(id: string, isFirst: boolean, work: Work<T>): Promise<T | 'sent' | 'busy'> {
    const begun = await begin(id, isFirst);
    if (!begun) return 'busy';
    if (begun.sent_at) return 'sent';
    const client = await pool.connect();
    let broken: Error | undefined;
    // The work outlasts statements, so an end of the connection may be heard between two of them.
    const onError = (error: Error): void => void (broken = error);
    client.on('error', onError);
    let isSent = false;
    try {
      await client.query('BEGIN');
      const { rows } = await client.query<Pick<Row, 'sent_at'>>(LOCK, [id]);
      if (!rows[0] || rows[0].sent_at) {
        await client.query('ROLLBACK');
        return rows[0] ? 'sent' : 'busy';
      }
      const done = await work();
      ({ isSent } = done);
      await finish(client, id, isSent).catch((error: unknown) => {
        broken = error as Error;
        if (!isSent) return;
        // The lock went with the connection, and others may begin; they find it marked, if we are fast enough.
        client.release(broken);
        return markSent(id);
      });
      return done.result;
    } catch (error) {
      broken ??= error as Error;
      throw error;
    } finally {
      client.off('error', onError);
      if (!(isSent && broken)) client.release(broken);
    }
  }

  return {
    once,
    async begun(id) {
      const { rows } = await pool.query<{ begun: number }>(BEGUN, [id]);
      return rows[0]?.begun ?? 0;
    },
    async forget(days) {
      let count = 0;
      for (let some = 1; some > 0; count += some) {
        const { rowCount } = await pool.query(
          `DELETE FROM email_api.inbox WHERE message_id IN (SELECT message_id FROM email_api.inbox
             WHERE received_at < now() - make_interval(days => $1) LIMIT 5000 FOR UPDATE SKIP LOCKED)`,
          [days],
        );
        some = rowCount ?? 0;
      }
      return count;
    },
  };
}

async function finish(client: pg.PoolClient, id: string, isSent: boolean): Promise<void> {
  await client.query(
    `UPDATE email_api.inbox SET begun = 0, sent_at = CASE WHEN $2 THEN now() END WHERE message_id = $1`,
    [id, isSent],
  );
  await client.query('COMMIT');
}
