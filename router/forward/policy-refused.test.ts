import assert from 'node:assert/strict';
import { HOSTILE_FRAMING } from './hostile-framing.ts';
import { HOSTILE_HEADS } from './hostile-heads.ts';
import { get, head } from './raw-request.ts';
import { selfSigned } from './self-signed.ts';
import {
  exchange,
  isWholeAnswer,
  recorder,
  routeTo,
  testbed,
  upstreamAt,
  type Recorder,
  type Testbed,
} from './testbed.ts';

/** A clean request is answered with its own path; everything else is only recorded. */
const CLEAN = /GET (\/clean\/\d+) HTTP\/1\.1\r\n(?:[^\r\n]+\r\n)+\r\n$/;

for (const protocol of ['http', 'https'] as const) {
  describe(`what is refused over ${protocol}`, () => {
    let upstream: Recorder;
    let bed: Testbed;
    let cleans = 0;
    before(async () => {
      upstream = await recorder((socket, received) => {
        const path = CLEAN.exec(received)?.[1];
        if (path !== undefined)
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
      });
      const listen = protocol === 'https' ? { tls: selfSigned('shop') } : {};
      bed = await testbed(() => routeTo('monolith'), [upstreamAt('monolith', upstream.url)], { listen });
    });
    after(async () => {
      await bed.close();
      await upstream.close();
    });
    const say = async (bytes: string, enough?: (text: string) => boolean): Promise<string> =>
      await exchange(bed.listening.port, bytes, enough, protocol === 'https');

    for (const [name, bytes, status] of [...HOSTILE_HEADS, ...HOSTILE_FRAMING]) {
      it(`${name}: ${status}`, async () => {
        const before = upstream.received.map(({ length }) => length);
        const answer = await say(bytes);
        assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
        assert.match(answer, /\r\nConnection: close\r\n/);
        assert.match(answer, /application\/problem\+json/);
        assert.equal(
          answer.match(/HTTP\/1\.1 \d{3} /g)?.length,
          1,
          'one answer, and the connection is closed',
        );
        const path = `/clean/${++cleans}`;
        const clean = await say(get(path), isWholeAnswer);
        assert.match(clean, /^HTTP\/1\.1 200 /);
        assert.ok(clean.endsWith(`\r\n\r\n${path}`), `another one's answer: ${clean}`);
        // On every connection, the kept ones too: what came since, less the clean request.
        const heard = upstream.received.map((all, index) => all.slice(before[index] ?? 0).replace(CLEAN, ''));
        for (const text of heard)
          assert.ok(!isCompleteRequest(text), `reached the upstream: ${JSON.stringify(text)}`);
        assert.doesNotMatch(heard.join(''), /GET \/smuggled[^]*\r\n\r\n$/);
      });
    }

    it('says with 405 what is allowed', async () => {
      assert.match(await say(head('TRACE / HTTP/1.1', 'Host: shop')), /\r\nAllow: GET, /);
    });

    it('leaves the request before a faulty one alone', async () => {
      const answer = await say(`${get('/clean/0')}GET / HTTP/1.1\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 200 [^]*\r\n\r\n\/clean\/0HTTP\/1\.1 400 /);
    });
  });
}

/** A body that has not come to its end, by its chunks or by its length, is no complete request. */
function isCompleteRequest(received: string): boolean {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const body = received.slice(end + 4);
  if (/transfer-encoding: chunked/i.test(received.slice(0, end))) return /(?:^|\r\n)0\r\n\r\n/.test(body);
  return body.length >= Number(/content-length: (\d+)/i.exec(received.slice(0, end))?.[1] ?? 0);
}
