import { SMTPServer } from 'smtp-server';

/** A mail server that counts what it takes by Message-ID. */
export interface MailCounter {
  readonly url: string;
  /** Of each Message-ID, when it was taken (milliseconds since the epoch), once for each time. */
  readonly taken: ReadonlyMap<string, readonly number[]>;
  /** Says no to recipients that the pattern matches, with 550, from now on; null: takes all. */
  refuse(pattern: RegExp | null): void;
  /** Mails that came more than once, each counted as often as it was too many. */
  repeats(): number;
  close(): Promise<void>;
}

/** Starts one on a port of its own. */
export async function countMail(): Promise<MailCounter> {
  const taken = new Map<string, number[]>();
  let refused: RegExp | null = null;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 100,
    onRcptTo: ({ address }, _session, done) =>
      done(
        refused?.test(address)
          ? Object.assign(new Error(`no mailbox ${address} here`), { responseCode: 550 })
          : undefined,
      ),
    onData(stream, _session, done) {
      let text = '';
      stream.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      // A sender that dies in the middle has not handed the mail over.
      stream.on('end', () => {
        const id = /^Message-ID: (.+)\r$/im.exec(text)?.[1] ?? 'none';
        taken.set(id, [...(taken.get(id) ?? []), Date.now()]);
        done();
      });
    },
  });
  // Senders are killed in the middle of what they say.
  server.on('error', () => undefined);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.server.address();
  return {
    url: `smtp://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    taken,
    refuse: (pattern) => (refused = pattern),
    repeats: () => [...taken.values()].reduce((sum, times) => sum + times.length - 1, 0),
    close: () => new Promise((closed) => server.close(closed)),
  };
}
