import { createWriteStream, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { callbackify } from 'node:util';
import { SMTPServer, type SMTPServerDataStream } from 'smtp-server';

export interface MailCatcher {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * An SMTP server that delivers nothing: each mail becomes a file `TIME-NUMBER.eml` in `dir`. It keeps the newest `keep` mails (default 500) of at
 * most `size` bytes each (default 10 MiB).
 */
export async function startMailCatcher({
  dir,
  host = '127.0.0.1',
  port,
  keep = 500,
  size = 10 * 1024 * 1024,
}: {
  dir: string;
  host?: string;
  port: number;
  keep?: number;
  size?: number;
}): Promise<MailCatcher> {
  mkdirSync(dir, { recursive: true });
  for (const name of readdirSync(dir)) if (name.endsWith('.part')) rmSync(join(dir, name));
  let count = 0;
  const server = new SMTPServer({
    size,
    logger: false,
    // On loopback there is nothing to hide and nobody to ask for a password.
    disabledCommands: ['AUTH', 'STARTTLS'],
    authOptional: true,
    disableReverseLookup: true,
    closeTimeout: 1000,
    onData(stream, _session, done) {
      count += 1;
      const time = new Date().toISOString().replaceAll(':', '');
      storeThen(stream, join(dir, `${time}-${String(count).padStart(6, '0')}.eml`), keep, done);
    },
  });
  // Once it listens, errors are those of single connections (a client that went away), and the handler ignores them.
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

const storeThen = callbackify(store);

async function store(stream: SMTPServerDataStream, file: string, keep: number): Promise<void> {
  const part = `${file}.part`;
  try {
    await pipeline(stream, createWriteStream(part));
    if (stream.sizeExceeded) throw Object.assign(new Error('the mail is too large'), { responseCode: 552 });
    // A file with its final name is a whole mail.
    renameSync(part, file);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
  removeOldest(join(file, '..'), keep);
}

function removeOldest(dir: string, keep: number): void {
  const mails = readdirSync(dir)
    .filter((name) => name.endsWith('.eml'))
    .sort();
  for (const name of mails.slice(0, Math.max(0, mails.length - keep)))
    rmSync(join(dir, name), { force: true });
}
