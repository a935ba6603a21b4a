import type pg from 'pg';
import type { MailJob } from './mail-job.ts';

/** Name of the queue; its dead letters are in `mail-dead`. */
export const MAIL_QUEUE = 'mail';
export const DEAD_LETTERS = 'mail-dead';

/**
 * Where the monolith leaves mail jobs for the email-api. A job is written in the transaction that writes its order, so there is never one without the
 * other: `pgboss.ts` with the queue in the shop's database, `outbox.ts` when a broker has it.
 */
export interface MailQueue {
  /** Rejects with UnsafeJob when the job must not become a mail, or as the database does; the transaction has to be rolled back then. */
  enqueue(client: pg.ClientBase, job: MailJob): Promise<void>;
  close(): Promise<void>;
}
