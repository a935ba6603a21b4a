import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { settled } from '../support/shadowed.ts';
import { until } from '../support/until.ts';

/** `/events` belongs to the feature and is looked on by the shadow, which must not hold anything up. */
const yaml = (monolith: string, service: string): string => `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "${monolith}" }, image-api: { url: "${service}" } }
default: monolith
features:
  images:
    upstream: image-api
    flag: images
    key: [{ header: x-user-id }]
    routes: [{ match: "GET /events", effect: read }]
    shadow: { sample: 1 }
`;

interface Listening {
  readonly socket: Socket;
  readonly text: () => string;
  readonly side: string;
  /** The source of what it hears. */
  readonly response: ServerResponse;
}

describe('server-sent events through the router', () => {
  let upstreams: Upstream[];
  let router: RouterProcess;
  const clients: Socket[] = [];
  /** Streams that were begun, by the upstream's name and the target: the shadow begins one at the other side. */
  const streams = new Map<string, ServerResponse>();
  let count = 0;
  let isChunked = true;
  before(async () => {
    upstreams = await Promise.all(['monolith', 'image-api'].map(startUpstream));
    for (const upstream of upstreams) upstream.handle = (_request, response) => void response.end('x');
    router = await startRouter({ yaml: yaml(upstreams[0]!.url, upstreams[1]!.url), flags: CANARY(50) });
    // The shadow's thread takes a processor for a moment when it starts; what is measured is a router that has started.
    await (await fetch(`${router.url}/events`, { headers: { 'x-user-id': '1' } })).text();
    await settled(router, 1);
    for (const upstream of upstreams)
      upstream.handle = ({ url }, response) => {
        if (!isChunked) {
          response.useChunkedEncodingByDefault = false;
          response.setHeader('Connection', 'close');
        }
        response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
        streams.set(`${upstream.name} ${url}`, response);
      };
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
    for (const response of streams.values()) response.destroy();
    streams.clear();
  });
  after(async () => {
    await router?.stop();
    for (const upstream of upstreams) await upstream.close();
  });

  const listen = async (key: string): Promise<Listening> => {
    const socket = connect(Number(new URL(router.url).port), '127.0.0.1');
    clients.push(socket);
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
    socket.on('error', () => {});
    await once(socket, 'connect');
    const target = `/events?${++count}`;
    socket.write(`GET ${target} HTTP/1.1\r\nHost: shop\r\nX-User-Id: ${key}\r\n\r\n`);
    await until(() => text.includes('\r\n\r\n'), 'the head of the answer');
    const side = /\r\nx-served-by: (\S+)/.exec(text)![1]!;
    return { socket, text: () => text, side, response: streams.get(`${side} ${target}`)! };
  };

  for (const framing of ['in chunks', 'up to the end of the connection'])
    it(`arrive within 100 ms each, from both sides, ${framing}`, async () => {
      isChunked = framing === 'in chunks';
      const sides = new Set<string>();
      for (let key = 0; sides.size < 2; key++) {
        assert.ok(key < 100, 'keys of both sides');
        const { socket, text, side, response } = await listen(String(key));
        for (let event = 0; event < 20 && !sides.has(side); event++) {
          const line = `data: ${side} ${event}\n\n`;
          const sent = performance.now();
          response.write(line);
          while (!text().includes(line)) await once(socket, 'data');
          const took = performance.now() - sent;
          assert.ok(took < 100, `event ${event} of ${side} took ${took.toFixed(1)} ms`);
        }
        sides.add(side);
        socket.destroy();
      }
    });

  it('wait at their source while a client does not read, and none is lost when it does again', async () => {
    isChunked = true;
    const resident = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${router.child.pid}/status`, 'utf8'))![1]) * 1024;
    const before = resident();
    const { socket, text, response } = await listen('1');
    socket.pause();
    let written = 0;
    const more = (): void => {
      while (written < 200_000 && response.write(`data: ${'x'.repeat(1000)} ${written++}\n\n`));
      if (written < 200_000 && !response.destroyed) response.once('drain', more);
      else response.end();
    };
    more();
    let seen = -1;
    let still = 0;
    await until(() => {
      still = written === seen ? still + 1 : 0;
      seen = written;
      return still >= 10;
    }, 'the source to wait');
    assert.ok(written < 64_000, `${written} kB were taken`);
    assert.ok(resident() - before < 32 * 2 ** 20, `${(resident() - before) / 2 ** 20} MiB more`);
    const sent = written;
    socket.resume();
    await until(() => text().includes(` ${sent + 1000}\n\n`), 'more events');
    const numbers = [...text().matchAll(/x (\d+)\n\n/g)].map(([, number]) => Number(number));
    assert.deepEqual(
      numbers.slice(0, sent),
      Array.from({ length: sent }, (_, index) => index),
    );
  });
});
