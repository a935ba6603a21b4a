import { createTransport } from 'nodemailer';
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
  readonly url: string;
  readonly concurrency: number;
  /** Milliseconds for one mail, from the first byte to the server's yes. */
  readonly timeout: number;
}

/** A mail server, over a few connections that are kept. */
export function openSmtp({ url, concurrency, timeout }: SmtpOptions): Smtp {
  const step = Math.min(timeout, 10_000);
  const transport = createTransport({
    url,
    pool: true,
    maxConnections: concurrency,
    // The pool would send a mail again whose connection broke: whether it may is decided where it is known what was sent.
    maxRequeues: 0,
    connectionTimeout: Math.min(step, 5000),
    greetingTimeout: step,
    socketTimeout: step,
    // The parts of a mail are texts; nothing in them is a file or a URL to be read.
    disableFileAccess: true,
    disableUrlAccess: true,
  } as Parameters<typeof createTransport>[0]);
  const probe = createTransport({ url, connectionTimeout: 2000, greetingTimeout: 5000, socketTimeout: 5000 });

  const send = async (id: string, mail: RenderedMail): Promise<Answer> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_done, fail) => {
      // A server that answers each step slowly enough keeps within every time-out of a step.
      timer = setTimeout(() => fail(new Error(`no answer within ${timeout} ms`)), timeout);
    });
    try {
      // An address that is handed over as one is not parsed: it can not become two.
      const to = { name: '', address: mail.to };
      await Promise.race([transport.sendMail({ ...mail, to, messageId: id }), late]);
      return { type: 'taken' };
    } catch (error) {
      return answerOf(error as SmtpError);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    send,
    isUp: () =>
      probe.verify().then(
        () => true,
        () => false,
      ),
    close() {
      transport.close();
      probe.close();
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
