import type pg from 'pg';
import type { Logger } from 'pino';
import type { Counter } from '@prometheus-io/client';
import { openMailServer, type MailServer } from './mail-server.ts';
import { confirmation, messageIdOf } from './mail-text.ts';

export interface MailLoop {
  /** There may be something to send. */
  wake(): void;
  /** Lets a mail that is on its way arrive, then ends. */
  stop(): Promise<void>;
}

/** What became of one attempt to send. */
export interface Attempt {
  readonly ok: boolean;
  /** From the first byte to the mail server's answer. */
  readonly milliseconds: number;
}

export interface LoopOptions {
  readonly pool: pg.Pool;
  /** Where the mail server is at the moment; null: nobody knows yet. */
  readonly smtpUrl: () => string | null;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly sent: Pick<Counter<'result'>, 'inc'>;
  /** Milliseconds between two looks for what a crash or a dead mail server left unsent. Default 5 s. */
  readonly interval?: number;
  /** Milliseconds until a refused mail is tried again; doubled with each refusal, up to an hour. Default 30 s. */
  readonly refusalPause?: number;
  /** Is told of every attempt; must not throw. */
  readonly attempted?: (attempt: Attempt) => void;
}

/** Seconds, the longest pause after a refusal. */
const LONGEST_PAUSE = 3600;

interface Unsent {
  readonly id: string;
  readonly email: string;
  readonly quantity: number;
  readonly total_cents: string;
  readonly currency: string;
  readonly name: string;
}

/**
 * Sends the confirmation of every order of the monolith's own whose `mailed_at` is NULL. The row is locked while its mail is under way, so two shops don't send the same
 * one. What the mail server took is never sent again, with one exception: a crash between its yes and our commit sends the mail once
 * more, with the same Message-ID, by which mail programs show it once. When the server can't be reached, all wait for the next look, which
 * begins with another mail; when it refuses one mail, only that one waits.
 */
export function startMailLoop({
  pool,
  smtpUrl,
  log,
  sent,
  interval = 5000,
  refusalPause = 30_000,
  attempted = () => undefined,
}: LoopOptions): MailLoop {
  const transport = openMailServer(smtpUrl);
  let isStopping = false;
  let running: Promise<void> | null = null;
  let isWanted = false;

  const run = async (): Promise<void> => {
    do {
      isWanted = false;
      try {
        for (let result: Result = 'sent'; !isStopping && result !== 'none';) {
          result = await sendOne({ pool, transport, refusalPause, log, attempted });
          if (result !== 'none') sent.inc({ result: result === 'sent' ? 'sent' : 'failed' });
        }
      } catch (error) {
        sent.inc({ result: 'failed' });
        log.warn({ err: error }, 'confirmations can not be sent now; they are tried again');
        break;
      }
    } while (isWanted && !isStopping);
  };
  const wake = (): void => {
    isWanted = true;
    running ??= run().finally(() => (running = null));
  };
  const timer = setInterval(wake, interval);
  wake();
  return {
    wake,
    async stop() {
      isStopping = true;
      clearInterval(timer);
      await running;
      transport.close();
    },
  };
}

type Result = 'sent' | 'refused' | 'none';

/** The next confirmation that is due. Throws when the mail server can't be reached, or the database. */
async function sendOne({
  pool,
  transport,
  refusalPause,
  log,
  attempted,
}: Required<Pick<LoopOptions, 'pool' | 'log' | 'refusalPause' | 'attempted'>> & {
  transport: MailServer;
}): Promise<Result> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('BEGIN');
    const { rows } = await client.query<Unsent>(
      `SELECT o.id, o.email, o.quantity, o.total_cents, o.currency, p.name FROM orders o JOIN products p ON p.id = o.product_id
       WHERE o.mailed_at IS NULL AND o.mailed_by = 'monolith' AND o.mail_after <= now() ORDER BY o.mail_after, o.id LIMIT 1 FOR UPDATE OF o SKIP LOCKED`,
    );
    const order = rows[0];
    const refusal = order && (await send(transport, order, attempted).catch(putBehind(client, order.id)));
    if (!order) await client.query('COMMIT');
    else if (!refusal) {
      await client.query('UPDATE orders SET mailed_at = now() WHERE id = $1', [order.id]);
      await client.query('COMMIT');
      return 'sent';
    } else {
      await client.query(
        `UPDATE orders SET mail_refusals = mail_refusals + 1,
           mail_after = clock_timestamp() + make_interval(secs => least($2 * 2.0 ^ least(mail_refusals, 20), $3)) WHERE id = $1`,
        [order.id, refusalPause / 1000, LONGEST_PAUSE],
      );
      await client.query('COMMIT');
      log.warn(
        { err: refusal, order: order.id },
        'the mail server refused a confirmation; it is tried again',
      );
      return 'refused';
    }
    return 'none';
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    // With an error, the connection is closed, and its transaction with it.
    client.release(failure);
  }
}

/** Without an answer nobody knows whether it was the server's fault or this mail's: it is due after those that wait by now, lest it hold them up for good. */
function putBehind(client: pg.PoolClient, order: string): (error: unknown) => Promise<never> {
  return async (error) => {
    await client.query('UPDATE orders SET mail_after = clock_timestamp() WHERE id = $1', [order]);
    await client.query('COMMIT');
    throw error;
  };
}

/** Null when the server took it, its refusal when it said no to this one. Throws when no answer came, or one that concerns every mail. */
async function send(
  transport: MailServer,
  { id, email, quantity, total_cents, currency, name }: Unsent,
  attempted: (attempt: Attempt) => void,
): Promise<Error | null> {
  const order = { id, quantity, product: name, totalCents: Number(total_cents), currency };
  const began = performance.now();
  const tell = (ok: boolean): void => attempted({ ok, milliseconds: performance.now() - began });
  try {
    await transport.sendMail({ messageId: messageIdOf(id), ...confirmation(order, email) });
    tell(true);
    return null;
  } catch (error) {
    tell(false);
    const { code } = error as { code?: unknown };
    if (code === 'EENVELOPE' || code === 'EMESSAGE') return error as Error;
    throw error;
  }
}
