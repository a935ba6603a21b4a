import { Agent, request as requestHttp, type IncomingMessage } from 'node:http';
import { Agent as SecureAgent, request as requestHttps } from 'node:https';
import { noteGarbage } from '../garbage.ts';
import type { Answer } from './compare/answer.ts';
import type { Copy } from './copy.ts';
import { copiedLines, type SentHead } from './head-lines.ts';
import type { Dropped, ShadowRules } from './options.ts';

/** What came back, or why nothing did. */
export type Reply = { readonly answer: Answer } | { readonly dropped: Dropped };

export interface Sending {
  /** http: or https: origin. */
  readonly url: string;
  readonly head: SentHead;
  /** null: a request without a body. */
  readonly body: Uint8Array | null;
  /** Takes the body of the answer. */
  readonly copy: Copy;
  readonly timeouts: ShadowRules['timeouts'];
  /** Aborting it gives the request up. */
  readonly signal: AbortSignal;
}

export interface Sender {
  send(sending: Sending): Promise<Reply>;
  close(): void;
}

/** Unused connections kept to one server. */
const MAX_IDLE = 8;

/**
 * Sends copies on connections of its own. Whatever the other end does, be it nothing, the promise resolves within `timeouts.total` and at most the
 * copy's bytes are kept.
 */
export function createSender(): Sender {
  // Idle connections are given up soon: a server closes them when it likes, and a copy is not worth a race.
  const options = { keepAlive: true, maxFreeSockets: MAX_IDLE, timeout: 3000 };
  const agents = { 'http:': new Agent(options), 'https:': new SecureAgent(options) };

  function once(sending: Sending): Promise<Reply | 'stale'> {
    const { head, body, copy, timeouts, signal } = sending;
    const url = new URL(sending.url);
    const isSecure = url.protocol === 'https:';
    return new Promise((resolve) => {
      const outgoing = (isSecure ? requestHttps : requestHttp)({
        agent: agents[isSecure ? 'https:' : 'http:'],
        host: url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port || (isSecure ? 443 : 80),
        method: head.method,
        path: head.target,
        headers: copiedLines(head, body?.length ?? null),
        setHost: false,
        setDefaultHeaders: false,
      });
      let isOver = false;
      const finish = (reply: Reply | 'stale'): void => {
        if (isOver) return;
        isOver = true;
        for (const timer of timers) clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        resolve(reply);
      };
      const give = (dropped: Dropped): void => {
        finish({ dropped });
        outgoing.destroy();
      };
      const abort = (): void => give('aborted');
      const connecting = setTimeout(() => give('connect'), timeouts.connect);
      const waiting = setTimeout(() => give('timeout'), timeouts.response);
      const timers = [connecting, waiting, setTimeout(() => give('timeout'), timeouts.total)];
      for (const timer of timers) timer.unref();
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
      let isConnected = false;
      outgoing.on('socket', (socket) => {
        const connected = (): void => {
          isConnected = true;
          clearTimeout(connecting);
        };
        if (socket.connecting) socket.once(isSecure ? 'secureConnect' : 'connect', connected);
        else connected();
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        if (outgoing.reusedSocket && error.code === 'ECONNRESET') finish('stale');
        give(
          error.code?.startsWith('HPE_') === true || error.code === 'ERR_INVALID_CHAR'
            ? 'protocol'
            : isConnected
              ? 'reset'
              : 'connect',
        );
      });
      outgoing.on('upgrade', () => give('protocol'));
      outgoing.on('response', (response) => {
        clearTimeout(waiting);
        const giveUp = (): void => {
          finish(copy.isLost ? { dropped: 'memory' } : { answer: answerOf(response, copy) });
          outgoing.destroy();
        };
        const length = Number(response.headers['content-length'] ?? 0);
        if (head.method !== 'HEAD' && !copy.announce(length)) return giveUp();
        response.on('data', (chunk: Buffer) => {
          noteGarbage(chunk.length);
          if (!copy.keep(chunk)) giveUp();
        });
        response.on('end', () => finish({ answer: answerOf(response, copy) }));
        response.on('error', () => give('reset'));
        response.on('close', () => give('reset'));
      });
      outgoing.end(body ?? undefined);
    });
  }

  return {
    async send(sending) {
      // A connection that had served before was closed by the other end just then. Only what is safe may be sent again.
      const isSafe = sending.head.method === 'GET' || sending.head.method === 'HEAD';
      for (let tries = 0; tries < (isSafe ? 3 : 1); tries++) {
        let reply: Reply | 'stale';
        try {
          reply = await once(sending);
        } catch {
          // A head that node:http won't send.
          return { dropped: 'protocol' };
        }
        if (reply !== 'stale') return reply;
      }
      return { dropped: 'reset' };
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function answerOf(response: IncomingMessage, copy: Copy): Answer {
  const { rawHeaders } = response;
  const headers: [string, string][] = [];
  for (let at = 0; at < rawHeaders.length; at += 2)
    headers.push([rawHeaders[at]!.toLowerCase(), rawHeaders[at + 1]!]);
  const body = copy.isTooLong ? new Uint8Array() : copy.whole();
  return { status: response.statusCode!, headers, body, isTooLong: copy.isTooLong };
}
