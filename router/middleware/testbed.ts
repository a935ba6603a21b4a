import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express, { type Express } from 'express';
import { strangle, type Strangle } from './strangle.ts';

/** For the tests of this folder: an Express monolith with the split in it, and a service that can be made to misbehave. */

export interface Service {
  readonly url: string;
  readonly port: number;
  readonly seen: { method: string; url: string; headers: IncomingMessage['headers']; raw: string[] }[];
  readonly server: Server;
  handle: (req: IncomingMessage, res: ServerResponse) => void;
  close(): Promise<void>;
}

export async function startService(): Promise<Service> {
  const server = createServer((req, res) => {
    const { method = '', url = '', headers, rawHeaders } = req;
    service.seen.push({ method, url, headers, raw: rawHeaders });
    service.handle(req, res);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const service: Service = {
    url: `http://127.0.0.1:${port}`,
    port,
    seen: [],
    server,
    handle: (req, res) => void req.resume().on('end', () => res.end('service')),
    close: () => closed(server),
  };
  return service;
}

export interface Shop {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  readonly split: Strangle;
  /** Requests that the monolith's own handlers got. */
  readonly seen: { method: string; url: string; headers: IncomingMessage['headers']; raw: string[] }[];
  readonly warnings: object[];
  writeFlags(text: string): void;
  close(): Promise<void>;
}

/** `yaml` gets the service's features; `before` mounts what stands before the split, `at` is where it is mounted, `reading` what stands behind. */
export async function startShop(options: {
  yaml: string;
  flags: string;
  env?: Record<string, string>;
  before?: (app: Express) => void;
  reading?: (app: Express) => void;
  at?: string;
}): Promise<Shop> {
  const dir = mkdtempSync(join(tmpdir(), 'strangle-'));
  const writeFlags = (text: string): void => writeFileSync(join(dir, 'flags.json'), text);
  writeFileSync(join(dir, 'strangler.yaml'), options.yaml);
  writeFlags(options.flags);
  const seen: Shop['seen'] = [];
  const warnings: object[] = [];
  const nothing = (): void => {};
  const log = { info: nothing, warn: (fields: object) => void warnings.push(fields), error: nothing };
  const config = join(dir, 'strangler.yaml');
  const env = { DATA_DIR: join(dir, '.data'), ...options.env };
  let split: Strangle;
  try {
    type Log = NonNullable<Parameters<typeof strangle>[0]['log']>;
    split = strangle({ config, env, log: log as unknown as Log });
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
  const app = express();
  options.before?.(app);
  if (options.at === undefined) app.use(split);
  else app.use(options.at, split);
  app.use((req, _res, next) => {
    seen.push({ method: req.method, url: req.url, headers: req.headers, raw: req.rawHeaders });
    next();
  });
  options.reading?.(app);
  app.get('/page', (_req, res) => void res.set('Cache-Control', 'private, no-store').send('<p>page'));
  app.get('/public', (_req, res) => void res.set('Cache-Control', 'public, max-age=9').send('<p>page'));
  app.use((req, res) => void req.resume().on('end', () => res.type('text').send('monolith')));
  app.use((error: Error, _req: express.Request, res: express.Response, _next: express.NextFunction) => {
    res.status(500).json({ name: error.name, message: error.message });
  });
  const server = createServer(app);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    dir,
    split,
    seen,
    warnings,
    writeFlags,
    async close() {
      split.close();
      await closed(server);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function closed(server: Server): Promise<void> {
  if (!server.listening) return;
  const over = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await over;
}

/** What a server says to raw bytes, to the end of the connection; `pieces` are sent one after the other. */
export async function raw(port: number, ...pieces: string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => socket.destroy());
  for (const piece of pieces) socket.write(piece);
  await once(socket, 'close');
  return text;
}

export const yamlOf = (service: string, more = ''): string => `flags: { file: flags.json }
upstreams:
  monolith: { url: "http://127.0.0.1:1" }
  image-api: { url: "${service}", timeouts: { connect: 500ms, response: 400ms } }
default: monolith
features:
  images:
    upstream: image-api
    flag: images
    key: [{ header: x-user-id }, { issue: strangler_id }]
    override: { header: strangler-override, cookie: strangler_override }
    routes:
      - { match: "GET /images/{id}", effect: read }
      - { match: "POST /images", effect: write, maxBody: 1KiB }
      - { match: "PUT /images/{id}", effect: write }
      - { match: "DELETE /images/{id}", effect: write }
${more}`;

export const flagsOf = (percent: number, stage = 'canary', state = 'ENABLED'): string =>
  JSON.stringify({
    flags: {
      images: {
        state,
        variants: { monolith: 'monolith', 'image-api': 'image-api' },
        defaultVariant: stage === 'live' || stage === 'retired' ? 'image-api' : 'monolith',
        targeting: {
          fractional: [
            ['image-api', percent],
            ['monolith', 100 - percent],
          ],
        },
        metadata: { stage },
      },
    },
  });
