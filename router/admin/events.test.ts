import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, get, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { until } from '../../test/support/until.ts';
import { createEvents, DEFAULT_EVENTS, type EventLimits } from './events.ts';
import type { LiveJson } from './protocol.ts';
import { startAdmin, type AdminBed } from './testbed.ts';

interface Listener {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly events: { readonly name: string; readonly data: any }[];
  readonly text: () => string;
  readonly isOver: () => boolean;
  leave(): void;
}

async function listen(url: string, headers: Record<string, string> = {}): Promise<Listener> {
  const request = get(url, { headers, agent: false });
  request.on('error', () => undefined);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  let isOver = false;
  const events: Listener['events'] = [];
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      if (name) events.push({ name, data: JSON.parse(data!) });
      text = text.slice(end + 2);
    }
  });
  response.on('error', () => undefined).on('close', () => (isOver = true));
  return {
    status: response.statusCode!,
    headers: response.headers,
    events,
    text: () => text,
    isOver: () => isOver,
    leave: () => request.destroy(),
  };
}

describe('server-sent events', () => {
  let bed: AdminBed;
  beforeEach(async () => (bed = await startAdmin()));
  afterEach(() => bed.close());
  const bearer = (): Record<string, string> => ({ authorization: `Bearer ${bed.token}` });

  it('need the token', async () => {
    assert.equal((await listen(`${bed.url}/api/events`)).status, 401);
  });

  it('show the moment at once and every second', async () => {
    const listener = await listen(`${bed.url}/api/events`, bearer());
    assert.equal(listener.status, 200);
    assert.match(String(listener.headers['content-type']), /^text\/event-stream/);
    assert.equal(listener.headers['cache-control'], 'no-store');
    await until(() => listener.events.length >= 3, 'three events');
    const { name, data } = listener.events[0]!;
    assert.equal(name, 'live');
    assert.equal(data.at, '2026-01-01T00:00:00.000Z');
    const images = data.features.find((feature: { name: string }) => feature.name === 'images');
    assert.deepEqual([images.stage, images.percent, images.state], ['canary', 10, 'ENABLED']);
    assert.deepEqual(
      images.sides.map((side: { upstream: string }) => side.upstream),
      ['monolith', 'image-api'],
    );
    assert.equal(data.config.state, 'applied');
    listener.leave();
  });

  it('tell of a new snapshot at once', async () => {
    const listener = await listen(`${bed.url}/api/events`, bearer());
    writeFileSync(
      bed.current.flagsPath,
      bed.current.flagsText().replaceAll('10]', '20]').replaceAll('90]', '80]'),
    );
    bed.current.refresh();
    await until(() => listener.events.some(({ name }) => name === 'change'), 'a change');
    const { data } = listener.events.find(({ name }) => name === 'change')!;
    assert.equal(data.version, bed.current.snapshot().version);
    assert.ok(data.features.includes('images'));
    listener.leave();
  });

  it('stop for a session that is over', async () => {
    const answer = await fetch(`${bed.url}/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: bed.token }),
    });
    const cookie = answer.headers.get('set-cookie')!.split(';')[0]!;
    const listener = await listen(`${bed.url}/api/events`, { cookie });
    assert.equal(listener.status, 200);
    await fetch(`${bed.url}/session`, { method: 'DELETE', headers: { cookie } });
    await until(listener.isOver, 'the end of the stream');
  });
});

describe('listeners to events', () => {
  const moment = {
    at: '',
    features: [],
    moves: [],
    upstreams: [],
    config: { state: 'applied', faults: [] },
    journal: null,
  } as const;

  async function serve(
    limits: Partial<EventLimits>,
    live: () => LiveJson = () => moment,
  ): Promise<{ url: string; listeners(): number; close(): void }> {
    const events = createEvents(
      {
        live,
        onSwap: () => undefined,
        isStillOpen: () => true,
        log: { error: () => undefined },
      },
      { ...DEFAULT_EVENTS, ...limits },
    );
    const app = express();
    app.get('/', events.listen);
    app.use(
      (_error: unknown, _request: unknown, response: express.Response, _next: unknown) =>
        void response.status(503).end(),
    );
    const server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      listeners: events.listeners,
      close() {
        server.close();
        server.closeAllConnections();
      },
    };
  }

  it('are bounded, and make room when they leave', async () => {
    const server = await serve({ listeners: 2 });
    const two = [await listen(server.url), await listen(server.url)];
    const third = await listen(server.url);
    assert.equal(third.status, 503);
    assert.equal(third.headers['retry-after'], '5');
    two[0]!.leave();
    await until(() => server.listeners() === 1, 'a place');
    assert.equal((await listen(server.url)).status, 200);
    server.close();
  });

  it('that do not read are cut off', async () => {
    const big = { ...moment, upstreams: 'x'.repeat(500_000) };
    const server = await serve({ interval: 20, buffer: 4_000_000 }, () => big);
    const request = get(server.url, { agent: false });
    const [sleeper] = (await once(request, 'response')) as [IncomingMessage];
    sleeper.on('error', () => undefined).pause();
    const reader = await listen(server.url);
    assert.equal(server.listeners(), 2);
    await until(() => server.listeners() === 1, 'the end of who does not read');
    const heard = reader.events.length;
    await until(() => reader.events.length > heard + 2, 'events for who reads');
    request.destroy();
    reader.leave();
    server.close();
  });

  it('hear on when the numbers could not be made once', async () => {
    let calls = 0;
    const server = await serve({ interval: 10 }, () => {
      if (++calls === 2) throw new Error('no numbers');
      return moment;
    });
    const listener = await listen(server.url);
    await until(() => listener.events.length >= 3, 'later events');
    assert.ok(calls > 3);
    listener.leave();
    server.close();
  });
});
