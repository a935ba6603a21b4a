import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request as ask, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '../../router/config/parse.ts';
import { readFlags } from '../../router/flags/read.ts';
import { buildSnapshot } from '../../router/flags/snapshot.ts';
import type { Limits } from '../../router/forward/limits.ts';
import { clearSpool } from '../../router/forward/spool.ts';
import { testbed, upstreamAt, type Testbed } from '../../router/forward/testbed.ts';
import { createWrites, type FeatureWrites } from '../../router/metrics/writes.ts';
import { createMoving } from '../../router/moving.ts';
import { createPipeline } from '../../router/pipeline.ts';
import { CANARY } from './router.ts';

/** A feature whose rows move. */
export const movingYaml = (monolith: string, service: string, more = ''): string => `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "${monolith}" }, image-api: { url: "${service}" } }
default: monolith
${more}features:
  images:
    upstream: image-api
    flag: images
    data: moving
    key: [{ header: x-user-id }]
    routes:
      - { match: "POST /products/{product}/images", effect: write, entity: product, maxBody: 8MiB }
      - { match: "GET /products/{product}/images", effect: read }
      - { match: "GET /images/{id}", effect: read }
      - { match: "PATCH /images/{id}", effect: write }
      - { match: "DELETE /images/{id}", effect: write }
`;

/** One side as the contract has it: it does a write, or answers 421 and has done nothing. */
export interface Side {
  readonly name: string;
  readonly url: string;
  /** Writes that it did: method, path, length and SHA-256 of the body. */
  readonly done: string[];
  /** Reads that it answered: path. */
  readonly read: string[];
  /** Writes that it refused. */
  refused: number;
  /** Strangler-Home to refuse this write with; null: it does it. An empty text: 421 without the header. */
  home: (path: string) => string | null;
  /** Does everything by itself when it is there. */
  handle: ((request: IncomingMessage, response: ServerResponse) => void) | null;
  mirrors: boolean;
  /** Paths of things that it does not have: 404, to a write too. */
  readonly lacks: Set<string>;
  /** Writes that it answered so. */
  absent: number;
  /** Stops listening, as a service does that dies. */
  close(): Promise<void>;
}

export async function startSide(name: string): Promise<Side> {
  const server = createServer((request, response) => {
    const { method = '', url: path = '' } = request;
    response.setHeader('x-served-by', name);
    if (side.handle !== null) return side.handle(request, response);
    const hash = createHash('sha256');
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      length += chunk.length;
    });
    request.on('end', () => {
      if (method === 'GET') {
        side.read.push(path);
        response.statusCode = side.lacks.has(path) ? 404 : 200;
        response.end(name);
        return;
      }
      if (side.lacks.has(path)) {
        side.absent++;
        response.statusCode = 404;
        response.end('not here');
        return;
      }
      const home = side.home(path);
      if (home !== null) {
        side.refused++;
        if (home !== '') response.setHeader('strangler-home', home);
        response.statusCode = 421;
        response.end('not mine');
        return;
      }
      side.done.push(`${method} ${path} ${length} ${hash.digest('hex')}`);
      if (side.mirrors) response.setHeader('strangler-mirrored', '1');
      response.statusCode = 201;
      response.end(name);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const side: Side = {
    name,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    done: [],
    read: [],
    refused: 0,
    home: () => null,
    handle: null,
    mirrors: true,
    lacks: new Set(),
    absent: 0,
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return side;
}

/** A write as a side notes it. */
export function noted(method: string, path: string, body: Buffer): string {
  return `${method} ${path} ${body.length} ${createHash('sha256').update(body).digest('hex')}`;
}

export interface Answer {
  readonly status: number;
  readonly by: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Asks on a connection of its own. With `isChunked` the body goes without a length. */
export async function send(
  origin: string,
  line: string,
  {
    body = Buffer.alloc(0),
    headers = {},
    isChunked = false,
  }: { body?: Buffer; headers?: Record<string, string>; isChunked?: boolean } = {},
): Promise<Answer> {
  const [method = '', path = ''] = line.split(' ');
  const length = isChunked || method === 'GET' ? {} : { 'content-length': String(body.length) };
  const request = ask(origin + path, { method, agent: false, headers: { ...length, ...headers } });
  if (isChunked)
    for (let at = 0; at < body.length; at += 60_000) request.write(body.subarray(at, at + 60_000));
  request.end(isChunked ? undefined : body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return {
    status: response.statusCode ?? 0,
    by: String(response.headers['x-served-by'] ?? 'router'),
    headers: response.headers,
    body: text,
  };
}

/** The data path with everything that decides, in this process. */
export interface MovingBed {
  readonly origin: string;
  readonly monolith: Side;
  readonly service: Side;
  readonly writes: FeatureWrites;
  readonly bed: Testbed;
  readonly spool: string;
  /** What an operator was told. */
  readonly logged: readonly string[];
  /** Serves with another flags.json from now on. */
  use(flags: string): void;
  close(): Promise<void>;
}

/** `flags` is the text of flags.json; default: canary at 0 %. */
export async function movingBed(
  flags = CANARY(0),
  limits: Partial<Limits> = {},
  data = 'moving',
): Promise<MovingBed> {
  const monolith = await startSide('monolith');
  const service = await startSide('image-api');
  const { config, faults } = parseConfig(
    movingYaml(monolith.url, service.url).replace('data: moving', `data: ${data}`),
    {},
  );
  if (!config) throw new Error(JSON.stringify(faults));
  const snapshotOf = (text: string) => buildSnapshot(config, text, readFlags(text, config).flags, new Set());
  let snapshot = snapshotOf(flags);
  const spool = mkdtempSync(join(tmpdir(), 'spool-'));
  clearSpool(spool);
  const writes = createWrites();
  const logged: string[] = [];
  const plan = createPipeline({
    snapshot: () => snapshot,
    overrideKey: null,
    now: Date.now,
    newId: () => 'id',
    moving: createMoving({ writes, pinKey: 'key', now: Date.now }),
  });
  const bed = await testbed(
    plan,
    [upstreamAt('monolith', monolith.url), upstreamAt('image-api', service.url)],
    { spoolFolder: spool, limits, log: { error: (_fields, message) => void logged.push(message) } },
  );
  return {
    origin: `http://127.0.0.1:${bed.listening.port}`,
    monolith,
    service,
    writes: writes.of('images', 'monolith', 'image-api'),
    bed,
    spool,
    logged,
    use: (text) => void (snapshot = snapshotOf(text)),
    async close() {
      await bed.close();
      await monolith.close();
      await service.close();
      rmSync(spool, { recursive: true });
    },
  };
}
