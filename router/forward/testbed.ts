import { connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createDataPath, type DataPath, type DataPathOptions } from './datapath.ts';
import { listen, type ListenOptions, type Listening } from './listener.ts';
import type { Observation, Plan, RequestHead, Route, UpstreamOptions } from './plan.ts';

/** A bed for tests of the data path: real ports, recorded bytes. Everything opened is closed by `close()`. */
export interface Testbed {
  readonly dataPath: DataPath;
  readonly listening: Listening;
  readonly observations: Observation[];
  close(): Promise<void>;
}

/** A route to `upstream`, with everything else off. */
export function routeTo(upstream: string, more: Partial<Route> = {}): Route {
  return {
    upstream,
    fallback: null,
    fallbackOn: { connect: true, timeout: true, serverError: true, missing: false },
    maxBody: null,
    responseTimeout: null,
    stripHeaders: [],
    stripCookies: [],
    issueCookie: null,
    serverTiming: null,
    tap: null,
    homes: null,
    decision: null,
    ...more,
  };
}

/** An upstream with short times. */
export function upstreamAt(name: string, ...urls: string[]): UpstreamOptions {
  return { name, urls, timeouts: { connect: 1000, response: 5000, idle: 4000 }, maxInFlight: 1024 };
}

export async function testbed(
  plan: (head: RequestHead) => Plan,
  upstreams: UpstreamOptions[],
  options: Partial<DataPathOptions> & { listen?: ListenOptions } = {},
): Promise<Testbed> {
  const observations: Observation[] = [];
  const log = { error: (fields: object, message: string) => console.error(message, fields) };
  const dataPath = createDataPath({
    plan,
    observe: (observation) => void observations.push(observation),
    log,
    ...options,
  });
  dataPath.setUpstreams(upstreams);
  const listening = await listen({ host: '127.0.0.1', port: 0 }, dataPath, options.listen);
  return {
    dataPath,
    listening,
    observations,
    async close() {
      await listening.close();
      dataPath.close();
      await until(() => dataPath.connections() === 0, 'the data path has closed its connections');
    },
  };
}

/** An upstream made of a bare socket server: what it receives is recorded, what it answers is up to the test. */
export interface Recorder {
  readonly url: string;
  readonly port: number;
  readonly sockets: Set<Socket>;
  /** Everything received, by connection, as latin1 text. */
  readonly received: string[];
  connections: number;
  close(): Promise<void>;
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** `onData` gets the connection, what has come on it since the last answer, and all of it. It answers, or does not. */
export async function recorder(
  onData: (socket: Socket, received: string, connection: number) => void,
  port = 0,
): Promise<Recorder> {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    const connection = self.connections++;
    received[connection] = '';
    sockets.add(socket);
    socket.on('data', (chunk: Buffer) => {
      received[connection] += chunk.toString('latin1');
      onData(socket, received[connection]!, connection);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((done) => {
    server.listen(port, '127.0.0.1', done);
  });
  const bound = (server.address() as { port: number }).port;
  const self: Recorder = {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    sockets,
    received,
    connections: 0,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => {
        server.close(done);
      });
    },
  };
  return self;
}

/** Sends bytes on a new connection, plain or TLS, and resolves with all that comes back until it closes, or until `enough` says so. */
export async function exchange(
  port: number,
  bytes: string | Buffer | readonly (string | Buffer)[],
  enough?: (text: string) => boolean,
  isTls = false,
): Promise<string> {
  const address = { port, host: '127.0.0.1' };
  const socket = isTls
    ? connectTls({ ...address, rejectUnauthorized: false })
    : connect({ ...address, noDelay: true });
  let text = '';
  const pieces = Array.isArray(bytes) ? (bytes as readonly (string | Buffer)[]) : [bytes as string | Buffer];
  return await new Promise<string>((done) => {
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      done(text);
    };
    const timer = setTimeout(finish, 8000);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (enough?.(text)) finish();
    });
    socket.on('error', finish);
    socket.on('close', finish);
    void (async () => {
      for (const piece of pieces) {
        if (socket.destroyed) return;
        socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
        if (pieces.length > 1) await new Promise((next) => setImmediate(next));
      }
    })();
  });
}

/** Polls until a condition holds; throws after `deadline` milliseconds. */
export async function until(condition: () => boolean, what: string, deadline = 5000): Promise<void> {
  const end = Date.now() + deadline;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited ${deadline} ms in vain until ${what}`);
    await new Promise((next) => setTimeout(next, 5));
  }
}

/** True when the text is a whole answer whose body has the announced length. */
export function isWholeAnswer(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end + 2));
  return end !== -1 && length !== null && text.length >= end + 4 + Number(length[1]);
}
