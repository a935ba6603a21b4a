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
}

interface Unsent {
  readonly id: string;
  readonly email: string;
  readonly quantity: number;
  readonly total_cents: string;
  readonly currency: string;
  readonly name: string;
}

/**
 * Sends the confirmation of every order whose `mailed_at` is NULL. The row is locked while its mail is under way, so two shops don't send the same one. A
 * crash between the mail server's yes and our commit sends it once more, with the same Message-ID, by which mail programs show it once.
 */
export function startMail({ pool, smtpUrl, log, sent, interval = 5000 }: MailOptions): MailLoop {
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
        while (!isStopping && (await sendOne(pool, transport))) sent.inc({ result: 'sent' });
      } catch (error) {
        sent.inc({ result: 'failed' });
        log.warn({ err: error }, 'a confirmation could not be sent; it is tried again');
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

/** True when a mail was sent, false when there is none to send. */
async function sendOne(pool: pg.Pool, transport: Transporter): Promise<boolean> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const { rows } = await client.query<Unsent>(
      `SELECT o.id, o.email, o.quantity, o.total_cents, o.currency, p.name FROM orders o JOIN products p ON p.id = o.product_id
       WHERE o.mailed_at IS NULL ORDER BY o.id LIMIT 1 FOR UPDATE OF o SKIP LOCKED`,
    );
    const order = rows[0];
    if (order) {
      await transport.sendMail(confirmation(order));
      await client.query('UPDATE orders SET mailed_at = now() WHERE id = $1', [order.id]);
    }
    await client.query('COMMIT');
    return order !== undefined;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  } finally {
    client.release();
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
