import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listening } from '../test/support/listening.ts';
import { until } from '../test/support/until.ts';
import { appToken } from './app-token.ts';
import { openFlags, type AskFlag } from './flags.ts';
import { openReporter } from './observations.ts';

type Handle = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A router's admin port whose answers a test chooses. */
async function adminPort(): Promise<{
  url: string;
  requests: string[];
  handle(next: Handle): void;
  close(): void;
}> {
  let handle: Handle = (_request, response) => response.end();
  const requests: string[] = [];
  const { server, url } = await listening((request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      requests.push(`${request.method} ${request.url} ${request.headers.authorization} ${body}`);
      handle(request, response, body);
    });
  });
  return {
    url,
    requests,
    handle: (next) => (handle = next),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const json =
  (status: number, body: object): Handle =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const decided = (value: string, metadata: object = {}): Handle =>
  json(200, { key: 'mail', value, variant: value, reason: 'SPLIT', metadata });

describe('what the shop asks and tells the router', () => {
  let router: Awaited<ReturnType<typeof adminPort>>;
  let dir: string;
  let lines: string[];
  const log = {
    info: (_fields: object, text?: string) => void lines.push(`info ${text}`),
    warn: (_fields: object, text?: string) => void lines.push(`warn ${text}`),
  };
  beforeEach(async () => {
    lines = [];
    dir = mkdtempSync(join(tmpdir(), 'token-'));
    router = await adminPort();
  });
  afterEach(() => {
    router.close();
    rmSync(dir, { recursive: true });
  });
  const open = (options: Partial<Parameters<typeof openFlags>[0]> = {}): AskFlag =>
    openFlags({
      url: router.url,
      token: appToken('secret', '/nowhere'),
      log,
      // Longer than a test takes; those that are about time say how long.
      timeout: 10_000,
      pause: 60_000,
      ...options,
    });

  it('is the flag for this key, with its metadata', async () => {
    router.handle(decided('email-api', { stage: 'canary', version: '7', shadow: false }));
    assert.deepEqual(await open()('mail', 'monolith', 'ana@example.com'), {
      value: 'email-api',
      metadata: { stage: 'canary', version: '7', shadow: false },
    });
    assert.deepEqual(router.requests, [
      'POST /ofrep/v1/evaluate/flags/mail Bearer secret {"context":{"targetingKey":"ana@example.com"}}',
    ]);
  });

  for (const [what, handle] of [
    ['an error', json(500, { errorCode: 'GENERAL' })],
    ['no such flag', json(404, { key: 'mail', errorCode: 'FLAG_NOT_FOUND' })],
    ['a refusal', json(401, {})],
    ['nonsense', (_request, response) => response.end('<html>')],
    ['a value of another type', json(200, { key: 'mail', value: 7, reason: 'STATIC' })],
    ['a connection that breaks', (request) => request.socket.destroy()],
  ] as [string, Handle][])
    it(`gets the default for ${what}, and one line for all of it`, async () => {
      router.handle(handle);
      const ask = open();
      for (let each = 0; each < 20; each++)
        assert.deepEqual(await ask('mail', 'monolith', 'ana@example.com'), {
          value: 'monolith',
          metadata: {},
        });
      assert.equal(router.requests.length, 1, 'the others do not ask');
      assert.deepEqual(lines, ['warn flags are not answered: monolith is the answer until they are']);
    });

  it('waits for a router that says nothing once, not for each order, and comes back to it', async () => {
    router.handle(() => undefined);
    const ask = open({ timeout: 250, pause: 200 });
    const began = performance.now();
    await ask('mail', 'monolith', 'a@example.com');
    const first = performance.now() - began;
    assert.ok(first >= 240 && first < 1000, `${first} ms`);
    const quick = performance.now();
    for (let each = 0; each < 50; each++) await ask('mail', 'monolith', 'a@example.com');
    assert.ok(performance.now() - quick < 200);
    router.handle(decided('email-api'));
    await until(
      async () => (await ask('mail', 'monolith', 'a@example.com')).value === 'email-api',
      'the answers to be back',
    );
    // From then on everybody is answered.
    for (let each = 0; each < 5; each++)
      assert.equal((await ask('mail', 'monolith', 'a@example.com')).value, 'email-api');
    assert.equal(lines.length, 2);
    assert.match(lines[1]!, /info flags are answered again/);
  });

  it('lets one ask while it is not known whether the router is back', async () => {
    router.handle(json(500, {}));
    const ask = open({ pause: 50 });
    await ask('mail', 'monolith', 'a@example.com');
    let asked = 0;
    router.handle((_request, response) => {
      asked += 1;
      setTimeout(() => response.writeHead(500).end(), 100);
    });
    await until(async () => {
      await Promise.all(Array.from({ length: 10 }, () => ask('mail', 'monolith', 'a@example.com')));
      return asked > 0;
    }, 'somebody to ask');
    assert.equal(asked, 1);
  });

  it('reads a token that appears after the start, and anew when it is not taken', async () => {
    router.handle((request, response, body) =>
      request.headers.authorization === 'Bearer second'
        ? decided('email-api')(request, response, body)
        : json(401, {})(request, response, body),
    );
    const file = join(dir, 'app-token');
    const ask = open({ token: appToken(null, file), pause: 10 });
    assert.equal((await ask('mail', 'monolith', 'a@example.com')).value, 'monolith');
    assert.equal(router.requests.length, 0, 'nothing is asked without a token');
    writeFileSync(file, 'first\n');
    await until(async () => {
      await ask('mail', 'monolith', 'a@example.com');
      return router.requests.length > 0;
    }, 'the first token');
    writeFileSync(file, 'second\n');
    await until(
      async () => (await ask('mail', 'monolith', 'a@example.com')).value === 'email-api',
      'the second token',
    );
  });

  it('tells of mails in batches, drops what is too much, and never fails', async () => {
    const token = appToken('secret', '/nowhere');
    const reporter = openReporter({ url: router.url, feature: 'mail', token, log, every: 20, most: 3 });
    for (let each = 0; each < 5; each++) reporter.report({ side: 'monolith', ok: true, milliseconds: each });
    await until(() => router.requests.length === 1, 'a batch');
    const [path, secret, body] = /^POST (\S+) Bearer (\S+) (.*)$/.exec(router.requests[0]!)!.slice(1);
    assert.deepEqual([path, secret], ['/api/features/mail/observations', 'secret']);
    assert.deepEqual(JSON.parse(body!), {
      observations: [0, 1, 2].map((milliseconds) => ({
        side: 'monolith',
        ok: true,
        milliseconds,
        parity: null,
        count: 1,
        difference: null,
      })),
    });
    router.close();
    for (let each = 0; each < 3; each++) {
      reporter.report({ side: 'monolith', ok: false, milliseconds: 1 });
      await until(() => lines.length > 0, 'a complaint');
    }
    await reporter.stop();
    assert.deepEqual(lines, ['warn observations are dropped until the router takes them']);
  });
});
