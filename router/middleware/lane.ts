import { EventEmitter } from 'node:events';
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { createProxyMiddleware, type RequestHandler } from 'http-proxy-middleware';
import { DEFAULT_LIMITS } from '../forward/limits.ts';
import type { FailureKind } from '../forward/retry.ts';
import type { OutgoingHeaders } from './received.ts';

/** A request as it goes to a service. */
interface Outgoing {
  readonly method: string;
  /** Canonical path with its query. */
  readonly url: string;
  readonly headers: OutgoingHeaders;
  /** null: there is none. */
  readonly body: Readable | null;
}

/** What becomes of a try. After `answered` the answer itself tells of its end; of the others at most one is called. */
interface TryEvents {
  connected(): void;
  answered(answer: IncomingMessage): void;
  /** `isStale`: the connection had served before, and was found dead. */
  failed(kind: FailureKind, isStale: boolean): void;
}

export interface Try {
  /** Ends it at once; nothing is called any more. */
  abort(): void;
  /** The answer was read to its end: the connection may serve again. */
  finish(): void;
}

/** The way to one instance of a service. */
export interface Lane {
  send(outgoing: Outgoing, mayReuse: boolean, events: TryEvents): Try;
  /** Closes the connections that nobody uses; what is under way finishes. */
  close(): void;
}

interface Trying {
  readonly events: TryEvents;
  readonly response: EventEmitter & { writableFinished: boolean };
  readonly hasBody: boolean;
  request: ClientRequest | null;
  isConnected: boolean;
  isOver: boolean;
}

/**
 * http-proxy-middleware, held on a short leash. It is given a request and a response that stand in for the real ones: it can neither answer the
 * client, nor cut it, nor change a header of the monolith's request, so `next()` stays possible until we ourselves write. The headers
 * it sends are final before it sees them. Its errors come by event only, for with a listener it does not call `next` as well.
 */
export function createLane(url: string, idle: number): Lane {
  const Agent = url.startsWith('https:') ? HttpsAgent : HttpAgent;
  const agent = new Agent({ keepAlive: true, maxFreeSockets: DEFAULT_LIMITS.idleSockets, timeout: idle });
  const tries = new WeakMap<object, Trying>();
  const reusing = proxyOver(agent);
  const fresh = proxyOver(false);

  function proxyOver(through: HttpAgent | false): RequestHandler {
    return createProxyMiddleware({
      target: url,
      agent: through as HttpAgent,
      selfHandleResponse: true,
      xfwd: false,
      ejectPlugins: true,
      plugins: [watch],
      logger: SILENT,
    });
  }

  function watch(proxy: { on(event: string, listener: (...args: never[]) => void): unknown }): void {
    proxy.on('proxyReq', (request: ClientRequest, standIn: object) => begun(tries.get(standIn)!, request));
    proxy.on('proxyRes', (answer: IncomingMessage, standIn: object) => {
      const it = tries.get(standIn)!;
      // An error without a listener ends the process; the answer's close says the same.
      answer.on('error', nothing);
      if (it.isOver) return void answer.destroy();
      it.isOver = true;
      it.events.answered(answer);
    });
    proxy.on('error', (error: NodeJS.ErrnoException, standIn: object) => fail(tries.get(standIn)!, error));
  }

  function begun(it: Trying, request: ClientRequest): void {
    it.request = request;
    if (it.isOver) return void request.destroy();
    // A switch of protocols that nobody asked for: without this listener nobody would hear of it.
    request.once('upgrade', (_answer: IncomingMessage, socket: Socket) => {
      socket.destroy();
      fail(it, { code: 'HPE_UPGRADE' });
    });
    const socket = request.socket as Socket & { secureConnecting?: boolean };
    const isNew = !request.reusedSocket && (socket.connecting || socket.secureConnecting === true);
    const connected = (): void => {
      it.isConnected = true;
      if (it.isOver) return;
      // A service may want to answer on the head alone, before the client has sent any of the body.
      if (it.hasBody) request.flushHeaders();
      it.events.connected();
    };
    if (isNew) socket.once('encrypted' in socket ? 'secureConnect' : 'connect', connected);
    else connected();
  }

  function fail(it: Trying, error: Pick<NodeJS.ErrnoException, 'code'>): void {
    if (it.isOver) return;
    it.isOver = true;
    const kind = !it.isConnected ? 'connect' : error.code?.startsWith('HPE_') ? 'protocol' : 'reset';
    it.events.failed(kind, kind === 'reset' && it.request?.reusedSocket === true);
    it.response.emit('close');
  }

  return {
    send({ method, url, headers, body }, mayReuse, events) {
      const request = Object.assign(body ?? Readable.from([]), {
        method,
        url,
        headers,
        httpVersion: '1.1',
        httpVersionMajor: 1,
        httpVersionMinor: 1,
        socket: { writable: true },
      });
      const response = Object.assign(new EventEmitter(), {
        writableFinished: false,
        finished: false,
        headersSent: false,
        destroyed: false,
        destroy: nothing,
      });
      const hasBody = body !== null;
      const it: Trying = { events, response, hasBody, request: null, isConnected: false, isOver: false };
      tries.set(request, it);
      const proxy = mayReuse ? reusing : fresh;
      const failed = (error?: unknown): void => fail(it, (error ?? {}) as NodeJS.ErrnoException);
      void proxy(request as unknown as IncomingMessage, response as unknown as ServerResponse, failed);
      return {
        abort() {
          it.isOver = true;
          // http-proxy-middleware takes this for a client that went away, and destroys its request.
          response.emit('close');
          it.request?.destroy();
        },
        finish() {
          response.writableFinished = true;
          response.emit('close');
        },
      };
    },
    close() {
      agent.maxFreeSockets = 0;
      for (const sockets of Object.values(agent.freeSockets)) sockets?.forEach((socket) => socket.destroy());
    },
  };
}

const nothing = (): void => {
  // Failures are told by events.
};
const SILENT = { info: nothing, warn: nothing, error: nothing };
