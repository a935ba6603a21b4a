import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { startMailServer, type MailServer } from '../../test/support/mail-server.ts';
import { openSmtp, type Smtp } from './smtp.ts';

const MAIL = {
  from: 'Shop <a@shop.example>',
  to: 'b@example.com',
  subject: 'Hello',
  text: 'x',
  html: '<p>x</p>',
};

describe('the mail server', () => {
  let server: MailServer;
  const open: Smtp[] = [];
  before(async () => {
    server = await startMailServer();
  });
  afterEach(() => open.splice(0).forEach((smtp) => smtp.close()));
  after(() => server?.close());
  const connect = (url = server.url, timeout = 5000): Smtp => {
    const smtp = openSmtp({ urlNow: () => url, concurrency: 2, timeout });
    open.push(smtp);
    return smtp;
  };

  it('takes a mail, refuses it for now, or for good', async () => {
    const smtp = connect();
    assert.deepEqual(await smtp.send('<1@x>', MAIL), { type: 'taken' });
    assert.equal(server.mails.at(-1)?.messageId, '<1@x>');
    for (const [status, type] of [
      [450, 'later'],
      [451, 'later'],
      [550, 'never'],
      [554, 'never'],
      // It says so of the connection.
      [421, 'none'],
    ] as const) {
      server.refuse = () => status;
      const answer = await smtp.send('<2@x>', MAIL);
      assert.equal(answer.type, type, `${status} ${JSON.stringify(answer)}`);
    }
    server.refuse = () => null;
    assert.deepEqual(await smtp.send('<3@x>', MAIL), { type: 'taken' });
  });

  it('is told one recipient, whatever the address looks like, and no line of a header is added', async () => {
    const smtp = connect();
    const count = server.mails.length;
    await smtp.send('<1@x>', { ...MAIL, to: 'a@b.example, c@d.example' });
    await smtp.send('<2@x>', { ...MAIL, subject: 'Hello\r\nBcc: c@d.example' });
    for (const { raw, to } of server.mails.slice(count)) {
      assert.ok(to.length === 1 && !to.includes('c@d.example'), to.join());
      assert.doesNotMatch(raw, /^Bcc:/im);
    }
  });

  it('that does not answer is noticed in time, and is not up', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const smtp = connect(`smtp://127.0.0.1:${(silent.address() as { port: number }).port}`, 300);
    const start = performance.now();
    assert.equal((await smtp.send('<1@x>', MAIL)).type, 'none');
    assert.ok(performance.now() - start < 3000);
    for (const socket of sockets) socket.destroy();
    silent.close();
    await once(silent, 'close');
    assert.equal(await smtp.isUp(), false);
    assert.equal((await smtp.send('<1@x>', MAIL)).type, 'none');
    assert.equal(await connect().isUp(), true);
  });

  it('that takes too long in small steps is hung up on, and has not taken the mail', async () => {
    let isTaken = false;
    let hungUp = (): void => {};
    const gone = new Promise<void>((over) => (hungUp = over));
    const slow = createServer((socket) => {
      const timers: NodeJS.Timeout[] = [];
      const say = (text: string): void =>
        void timers.push(setTimeout(() => void socket.write(`${text}\r\n`), 150));
      socket.on('error', () => undefined);
      socket.on('close', () => (timers.forEach(clearTimeout), hungUp()));
      say('220 ready');
      socket.on('data', (chunk) => {
        isTaken ||= String(chunk).endsWith('\r\n.\r\n');
        say(/^DATA/i.test(String(chunk)) ? '354 go on' : '250 yes');
      });
    }).listen(0, '127.0.0.1');
    await once(slow, 'listening');
    const smtp = connect(`smtp://127.0.0.1:${(slow.address() as { port: number }).port}`, 400);
    const { type, why } = (await smtp.send('<9@x>', MAIL)) as { type: string; why: string };
    assert.deepEqual([type, why], ['none', 'no answer within 400 ms']);
    await gone;
    assert.equal(isTaken, false, 'it would be sent again, and come twice');
    slow.close();
  });

  it('is asked for anew for each mail, and is out while nobody knows where it is', async () => {
    const other = await startMailServer();
    let url: string | null = null;
    const smtp = openSmtp({ urlNow: () => url, concurrency: 2, timeout: 5000 });
    open.push(smtp);
    assert.equal((await smtp.send('<1@x>', MAIL)).type, 'none');
    assert.equal(await smtp.isUp(), false);
    for (const { url: now } of [server, other, server]) {
      url = now;
      assert.deepEqual([await smtp.isUp(), await smtp.send(`<${now}>`, MAIL)], [true, { type: 'taken' }]);
    }
    assert.equal(other.mails.length, 1);
    await other.close();
  });

  it('is not sent a mail again whose connection broke: who knows whether it was taken', async () => {
    const smtp = connect();
    let arrivals = 0;
    server.beforeYes = async () => {
      arrivals += 1;
      await server.close();
    };
    assert.equal((await smtp.send('<7@x>', MAIL)).type, 'none');
    server.beforeYes = () => undefined;
    await server.open();
    assert.deepEqual(await smtp.send('<8@x>', MAIL), { type: 'taken' });
    assert.equal(arrivals, 1);
  });
});
