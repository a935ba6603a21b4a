import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMailCatcher, type MailCatcher } from './mail-catcher.ts';

/** Speaks SMTP by hand: sends all lines, waits for the end, returns what the server said. */
async function send(port: number, body: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let said = '';
  const sayAfter = async (line: string): Promise<void> => {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    said += chunk.toString();
    socket.write(`${line}\r\n`);
  };
  for (const line of [
    'HELO test',
    'MAIL FROM:<a@example.com>',
    'RCPT TO:<b@example.com>',
    'DATA',
    `${body}\r\n.`,
    'QUIT',
  ])
    await sayAfter(line);
  await once(socket, 'close');
  return said;
}

describe('the mail catcher', () => {
  let dir: string;
  let mail: MailCatcher;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'mail-'));
  });
  afterEach(async () => {
    await mail.close();
    rmSync(dir, { recursive: true });
  });

  it('keeps each mail as a file, and only the newest', async () => {
    mail = await startMailCatcher({ dir, port: 0, keep: 2 });
    for (const n of [1, 2, 3]) await send(mail.port, `Subject: ${n}\r\n\r\nHello`);
    const files = readdirSync(dir).sort();
    assert.equal(files.length, 2);
    assert.match(readFileSync(join(dir, files[1]!), 'utf8'), /Subject: 3\r\n\r\nHello/);
    assert.match(files[1]!, /^\d{4}-.*-000003\.eml$/);
  });

  it('refuses a mail that is too large, and keeps nothing of it', async () => {
    mail = await startMailCatcher({ dir, port: 0, size: 1000 });
    assert.match(await send(mail.port, `Subject: x\r\n\r\n${'y'.repeat(2000)}`), /552 /);
    assert.deepEqual(readdirSync(dir), []);
  });
});
