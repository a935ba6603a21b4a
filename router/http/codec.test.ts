import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { ChunkedBody } from './chunked.ts';
import { ReceivedHead, readHead } from './head.ts';
import { requestIds } from './ids.ts';
import { SCRATCH, writeRequestHead } from './outgoing.ts';
import { readTarget, type Target } from './target.ts';
import { runs } from '../../test/support/fuzz.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Lines of which some are sound and some are not. */
const line = fc.constantFrom(
  'Host: shop',
  'Host: shop',
  'X: y',
  'x-long:   a b\tc  ',
  'Empty:',
  'Content-Length: 3',
  'Content-Length: 3',
  'Transfer-Encoding: chunked',
  'Connection: close',
  'Connection: keep-alive, x',
  'Cookie: a=1; b=2',
  'Cookie: c="3"',
  'Expect: 100-continue',
  'Upgrade: h2c',
  'TE: trailers',
  'X-Request-Id: 7',
  'X : y',
  ' folded',
  'Bad\0: x',
  'X: \x01',
  'Content-Length: +3',
  'Host: a, b',
  'X: \xff\x80',
  'Transfer-Encoding: gzip, chunked',
);
const request = fc.record({
  method: fc.constantFrom('GET', 'POST', 'HEAD', 'OPTIONS', 'DELETE', 'PUT', 'GET '),
  target: fc.constantFrom(
    '/',
    '/a/b?c=d',
    '/%69',
    '/a/../b',
    'http://other/x?y',
    '*',
    '/a%2fb',
    '/a#b',
    '/{x}|"',
    '/a b',
    '//x',
  ),
  version: fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0'),
  lines: fc.array(line, { maxLength: 6 }),
  end: fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\n'),
});
const text = request.map(
  ({ method, target, version, lines, end }) =>
    `${[`${method} ${target} ${version}`, ...lines].join(end)}${end}${end}`,
);

interface Accepted {
  readonly head: ReceivedHead;
  readonly target: Target;
  /** What goes to the upstream. */
  readonly sent: Buffer;
}

function accept(received: Buffer): Accepted | number {
  const head = new ReceivedHead();
  const end = readHead(received, 0, received.length, head);
  if (end <= 0) return end;
  const target: Target = { path: '', query: '', readings: null, authority: null, isVerbatim: true };
  const fault = readTarget(head, target);
  if (fault < 0) return fault;
  const ids = requestIds(head, (count) => 'a'.repeat(count * 2));
  const length = writeRequestHead(
    head,
    target,
    { forwarded: 'Via: 1.1 x\r\n', ids, isTrusted: false },
    { stripHeaders: [], stripCookies: [] },
    'default',
  );
  return { head, target, sent: Buffer.from(SCRATCH.subarray(0, length)) };
}

describe('the codec', () => {
  it('needs the last byte of a head, and takes it the same from any longer buffer', () => {
    let accepted = 0;
    fc.assert(
      fc.property(text, (head) => {
        const whole = bytes(head);
        const end = readHead(whole, 0, whole.length, new ReceivedHead());
        for (let length = 1; length < whole.length; length++) {
          const part = readHead(whole, 0, length, new ReceivedHead());
          if (part > 0) return assert.fail(`${JSON.stringify(head.slice(0, length))} was taken for whole`);
          // A fault may be seen early, never one that the whole does not have.
          if (part < 0) assert.ok(end < 0);
        }
        if (end <= 0) return;
        accepted++;
        const padded = Buffer.concat([bytes('garbage'), whole, bytes('GET /next')]);
        assert.equal(readHead(padded, 7, padded.length, new ReceivedHead()), end + 7);
      }),
      { numRuns: runs(3000) },
    );
    assert.ok(accepted > 100);
  });

  it("accepts nothing that Node's parser does not read the same, and emits one well-framed head", async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(text, async (head) => {
        const accepted = accept(bytes(head));
        if (typeof accepted === 'number') return;
        compared++;
        const { target, sent } = accepted;
        const body = accepted.head.chunked
          ? '3\r\nabc\r\n0\r\n\r\n'
          : 'x'.repeat(Math.max(0, accepted.head.length));
        const [seen, ...more] = await readByNode(
          Buffer.concat([sent, bytes(body), bytes('GET /next HTTP/1.1\r\nHost: n\r\n\r\n')]),
        );
        assert.equal(seen?.request.method, accepted.head.method);
        assert.equal(seen?.request.url, target.path + target.query);
        assert.equal(seen?.body, accepted.head.chunked ? 'abc' : body);
        const host =
          accepted.head.hostLine === -1
            ? 'default'
            : accepted.head.fields.value(accepted.head.bytes, accepted.head.hostLine);
        assert.equal(seen?.request.headers.host, target.authority ?? host);
        assert.deepEqual(
          more.map((next) => next.request.url),
          ['/next'],
        );
      }),
      { numRuns: runs(1500) },
    );
    assert.ok(compared > 50, `${compared} heads were compared`);
  });

  const chunk = fc.record({
    data: fc.string({ minLength: 1, maxLength: 40 }),
    extension: fc.constantFrom('', '', ';a', ';a="b"'),
    zeros: fc.constantFrom('', '0', '00'),
  });
  const chunked = fc.record({
    chunks: fc.array(chunk, { maxLength: 5 }),
    trailer: fc.constantFrom('', 'X: y\r\n', 'X: y\r\nHost: evil\r\nZ: z\r\n'),
    rest: fc.constantFrom('', 'GET / HTTP/1.1\r\n'),
  });

  for (const framed of [true, false])
    it(`passes a chunked body on, whatever pieces it comes in (${framed ? 'in chunks' : 'data alone'})`, () => {
      fc.assert(
        fc.property(
          chunked,
          fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 30 }),
          ({ chunks, trailer, rest }, sizes) => {
            const data = chunks.map((each) => bytes(each.data));
            const body = Buffer.concat([
              ...chunks.flatMap((each, index) => [
                bytes(`${each.zeros}${data[index]!.length.toString(16)}${each.extension}\r\n`),
                data[index]!,
                bytes('\r\n'),
              ]),
              bytes(`0\r\n${trailer}\r\n`),
            ]);
            const all = Buffer.concat([body, bytes(rest)]);
            const out: Buffer[] = [];
            const decoder = new ChunkedBody({ framed, maxBody: 1e9, maxTrailer: 1000 });
            let at = 0;
            for (let turn = 0; at < all.length && !decoder.isDone; turn++) {
              const piece = Buffer.from(all.subarray(at, at + sizes[turn % sizes.length]!));
              const end = decoder.push(piece, 0, piece.length, {
                bytes: (buffer, from, to) => void out.push(Buffer.from(buffer.subarray(from, to))),
              });
              assert.ok(end > 0, `fault ${end}`);
              at += end;
            }
            assert.ok(decoder.isDone);
            assert.equal(at, body.length, 'what follows the body is not touched');
            assert.equal(decoder.total, Buffer.concat(data).length);
            const kept = trailer.replace('Host: evil\r\n', '');
            const expected = framed
              ? Buffer.concat([
                  ...chunks.flatMap((each, index) => [
                    bytes(`${each.zeros}${data[index]!.length.toString(16)}\r\n`),
                    data[index]!,
                    bytes('\r\n'),
                  ]),
                  bytes(`0\r\n${kept}\r\n`),
                ])
              : Buffer.concat(data);
            assert.deepEqual(Buffer.concat(out), expected);
          },
        ),
        { numRuns: runs(2000) },
      );
    });
});

/** What Node's own server reads in the bytes: every request with its body. Throws what its parser throws. */
async function readByNode(input: Buffer): Promise<{ request: IncomingMessage; body: string }[]> {
  const seen: { request: IncomingMessage; body: string }[] = [];
  return await new Promise((done, fail) => {
    const server = createServer({ requireHostHeader: true });
    const take = (request: IncomingMessage): void => {
      const entry = { request, body: '' };
      seen.push(entry);
      request.on('data', (part: Buffer) => (entry.body += part.toString('latin1')));
      request.on('end', () => request.url === '/next' && done(seen));
    };
    server.on('request', (request, response) => {
      take(request);
      response.end();
    });
    server.on('checkContinue', (request, response) => {
      take(request);
      response.end();
    });
    server.on('clientError', fail);
    const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, next) => next() });
    server.emit('connection', socket);
    socket.push(input);
  });
}
