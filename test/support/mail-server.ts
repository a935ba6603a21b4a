import { callbackify } from 'node:util';
import { SMTPServer } from 'smtp-server';

/** A mail as it came. */
export interface CaughtMail {
  readonly raw: string;
  readonly messageId: string;
  readonly to: readonly string[];
}

/** A mail server of a test's own, over real sockets. */
export interface MailServer {
  readonly url: string;
  readonly mails: readonly CaughtMail[];
  /** Recipients it refuses, with which status; null takes it. */
  refuse: (address: string) => number | null;
  /** Runs when a mail is there as a whole, before the server says yes. */
  beforeYes: (mail: CaughtMail) => Promise<void> | void;
  /** Nobody listens any more; what is connected is cut off. */
  close(): Promise<void>;
  /** Listens again, at the same port. */
  open(): Promise<void>;
}

export async function startMailServer(): Promise<MailServer> {
  const mails: CaughtMail[] = [];
  let server: SMTPServer | null = null;
  let port = 0;

  const take = callbackify(async (mail: CaughtMail): Promise<void> => {
    await self.beforeYes(mail);
    mails.push(mail);
  });
  function build(): SMTPServer {
    return new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS', 'AUTH'],
      disableReverseLookup: true,
      logger: false,
      closeTimeout: 50,
      onRcptTo({ address }, _session, done) {
        const responseCode = self.refuse(address);
        done(
          responseCode === null ? undefined : Object.assign(new Error(`not ${address}`), { responseCode }),
        );
      },
      onData(stream, { envelope }, done) {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const raw = Buffer.concat(chunks).toString();
          const messageId = /^Message-ID: (.+)\r$/im.exec(raw)?.[1] ?? '';
          take({ raw, messageId, to: envelope.rcptTo.map(({ address }) => address) }, done);
        });
      },
    });
  }
  const self: MailServer = {
    get url() {
      return `smtp://127.0.0.1:${port}`;
    },
    mails,
    refuse: () => null,
    beforeYes: () => undefined,
    async close() {
      const closing = server;
      server = null;
      if (closing) await new Promise<void>((closed) => closing.close(closed));
    },
    async open() {
      const opening = build();
      opening.on('error', () => undefined);
      await new Promise<void>((listening) => opening.listen(port, '127.0.0.1', listening));
      const address = opening.server.address();
      port = typeof address === 'object' && address ? address.port : port;
      server = opening;
    },
  };
  await self.open();
  return self;
}
