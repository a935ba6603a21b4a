import { createTransport, type SendMailOptions, type Transporter } from 'nodemailer';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Counter } from '@prometheus-io/client';
import { price } from './products.ts';

export interface MailLoop {
  /** There may be something to send. */
  wake(): void;
  /** Lets a mail that is on its way arrive, then ends. */
  stop(): Promise<void>;
}

export interface MailOptions {
  readonly pool: pg.Pool;
  readonly smtpUrl: string;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly sent: Pick<Counter<'result'>, 'inc'>;
  /** Milliseconds between two looks for what a crash or a dead mail server left unsent. Default 5 s. */
  readonly interval?: number;
  /** Milliseconds until a refused mail is tried again; doubled with each refusal, up to an hour. Default 30 s. */
  readonly refusalPause?: number;
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
 * Sends the confirmation of every order whose `mailed_at` is NULL. The row is locked while its mail is under way, so two shops don't send the same
 * one. What the mail server took is never sent again, with one exception: a crash between its yes and our commit sends the mail once
 * more, with the same Message-ID, by which mail programs show it once. When the server can't be reached, all wait for the next look; when it
 * refuses one mail, only that one waits.
 */
export function startMail({
  pool,
  smtpUrl,
  log,
  sent,
  interval = 5000,
  refusalPause = 30_000,
}: MailOptions): MailLoop {
  const transport = createTransport({
    url: smtpUrl,
    connectionTimeout: 5000,
    greetingTimeout: 5000,
    socketTimeout: 10_000,
  });
  let isStopping = false;
  let running: Promise<void> | null = null;
  let isWanted = false;

  const run = async (): Promise<void> => {
    do {
      isWanted = false;
      try {
        for (let result: Result = 'sent'; !isStopping && result !== 'none';) {
          result = await sendOne({ pool, transport, refusalPause, log });
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
}: Pick<MailOptions, 'pool' | 'log'> & { transport: Transporter; refusalPause: number }): Promise<Result> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('BEGIN');
    const { rows } = await client.query<Unsent>(
      `SELECT o.id, o.email, o.quantity, o.total_cents, o.currency, p.name FROM orders o JOIN products p ON p.id = o.product_id
       WHERE o.mailed_at IS NULL AND o.mail_after <= now() ORDER BY o.mail_after, o.id LIMIT 1 FOR UPDATE OF o SKIP LOCKED`,
    );
    const order = rows[0];
    const refusal = order && (await send(transport, order));
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

/** Null when the server took it, its refusal when it said no to this one. Throws when no answer came, or one that concerns every mail. */
async function send(transport: Transporter, order: Unsent): Promise<Error | null> {
  try {
    await transport.sendMail(confirmation(order));
    return null;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 'EENVELOPE' || code === 'EMESSAGE') return error as Error;
    throw error;
  }
}

function confirmation({ id, email, quantity, total_cents, currency, name }: Unsent): SendMailOptions {
  const total = price({ priceCents: Number(total_cents), currency });
  const lines = [
    `Thank you for your order ${id}.`,
    `${quantity} × ${name}, ${total} in all.`,
    'We pack it with care and write again when it leaves the house.',
  ];
  return {
    messageId: `<order-${id}@shop.example>`,
    from: 'Nordlicht <orders@shop.example>',
    to: email,
    subject: `Your order ${id}`,
    text: `${lines.join('\n\n')}\n`,
    html: `<!doctype html><html lang="en"><body style="font-family:Georgia,serif">${lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('')}</body></html>`,
  };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
