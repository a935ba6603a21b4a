import { createTransport, type Transporter } from 'nodemailer';
import type { RenderedMail } from './job.ts';

/** How a mail server answered: it took the mail; it said no to this one, for now or for good; or there was no answer to this one. */
export type Answer =
  | { readonly type: 'taken' }
  | { readonly type: 'later'; readonly why: string }
  | { readonly type: 'never'; readonly why: string }
  | { readonly type: 'none'; readonly why: string };

export interface Smtp {
  /** Never rejects. */
  send(id: string, mail: RenderedMail): Promise<Answer>;
  /** Whether the server greets, and knows us where a password is given. */
  isUp(): Promise<boolean>;
  close(): void;
}

export interface SmtpOptions {
  /** Where the server is at the moment, asked for each mail; null: nobody knows yet. */
  readonly urlNow: () => string | null;
  readonly concurrency: number;
  /** Milliseconds for one mail, from the first byte to the server's yes. */
  readonly timeout: number;
}

/** A mail server, over a few connections that are kept. */
export function openSmtp({ urlNow, concurrency, timeout }: SmtpOptions): Smtp {
  /** One pool an address: several servers may be listed, and those that are gone have no connections. */
  const transports = new Map<string, Transporter>();

  function transport(): Transporter {
    const url = urlNow();
    if (url === null) throw new Error('the registry has not said yet where the mail server is');
    const open =
      transports.get(url) ??
      createTransport({
        url,
        pool: true,
        maxConnections: concurrency,
        // The pool would send a mail again whose connection broke: whether it may is decided where it is known what was sent.
        maxRequeues: 0,
        connectionTimeout: Math.min(timeout, 5000),
        greetingTimeout: Math.min(timeout, 10_000),
        // A server may think about a mail for long before its yes, and whoever does not wait for that sends it again.
        socketTimeout: timeout,
        // The parts of a mail are texts; nothing in them is a file or a URL to be read.
        disableFileAccess: true,
        disableUrlAccess: true,
      } as Parameters<typeof createTransport>[0]);
    transports.set(url, open);
    return open;
  }

  const send = async (id: string, mail: RenderedMail): Promise<Answer> => {
    // A server that answers each step slowly enough keeps within every time-out of a step. It is hung up on, lest it take later what is sent again.
    const signal = AbortSignal.timeout(timeout);
    try {
      // An address that is handed over as one is not parsed: it can not become two.
      const to = { name: '', address: mail.to };
      await transport().sendMail({ ...mail, to, messageId: id, signal });
      return { type: 'taken' };
    } catch (error) {
      return signal.aborted
        ? { type: 'none', why: `no answer within ${timeout} ms` }
        : answerOf(error as SmtpError);
    }
  };
  return {
    send,
    async isUp() {
      const url = urlNow();
      if (url === null) return false;
      const probe = createTransport({
        url,
        connectionTimeout: 2000,
        greetingTimeout: 5000,
        socketTimeout: 5000,
      });
      return await probe.verify().then(
        () => true,
        () => false,
      );
    },
    close() {
      for (const open of transports.values()) open.close();
    },
  };
}

type SmtpError = Error & { code?: string; responseCode?: number; response?: string };

/** What an error says of the mail it came for. 421 is said of the connection, whatever was asked. */
export function answerOf(error: SmtpError): Answer {
  const { code, responseCode, message } = error;
  const why = message.replace(/\s+/g, ' ').slice(0, 500);
  const isOfThisMail = code === 'EENVELOPE' || code === 'EMESSAGE' || code === 'ESTREAM';
  if (!isOfThisMail || responseCode === 421) return { type: 'none', why };
  // Without a code it is nodemailer that refuses, as an address can not be written: the next time will not be better.
  if (responseCode === undefined) return { type: 'never', why };
  return { type: responseCode >= 500 ? 'never' : 'later', why };
}
