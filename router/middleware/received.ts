import type { IncomingMessage } from 'node:http';
import type { Route } from '../forward/plan.ts';
import { FAULT } from '../http/faults.ts';
import { forwardedLines, plainAddress, type Peer } from '../http/forwarded.ts';
import { ReceivedHead, readHead } from '../http/head.ts';
import { isAuthority } from '../http/host.ts';
import { requestIds, type RequestIds } from '../http/ids.ts';
import { writeRequestHead } from '../http/outgoing.ts';
import { readTarget, type Target } from '../http/target.ts';
import { HeadView } from '../http/view.ts';
import { headBytes, scratchLines } from './head-lines.ts';

/** Request headers as http-proxy-middleware takes them: lower-case names, repeated lines as lists. */
export type OutgoingHeaders = Record<string, string | string[]>;

/** What a request of Node's means, read by the router's own codec. */
export interface Received {
  readonly view: HeadView;
  readonly target: Target;
  readonly ids: RequestIds;
  readonly hasBody: boolean;
  /** Content-Length; -1 when there is none. */
  readonly length: number;
  /** The headers that go to a service. Only valid until the next request is received. */
  outgoing(route: Route, defaultHost: string): OutgoingHeaders;
}

export interface ReceiveOptions {
  readonly isTrusted: (address: string) => boolean;
  readonly newId: (bytes: number) => string;
}

/** The head that is being looked at: one at a time, and done with before anything else runs. */
const HEAD = new ReceivedHead();

/**
 * Reads the head of `req` once more, by the rules of the router. Node has parsed it already, but more leniently than a proxy may be, and
 * with one policy there can be no spelling that the router and the middleware take differently. Returns the number of a fault otherwise.
 */
export function receive(req: IncomingMessage, { isTrusted, newId }: ReceiveOptions): Received | number {
  const bytes = headBytes(`${req.method} ${req.url} HTTP/${req.httpVersion}`, req.rawHeaders);
  const end = readHead(bytes, 0, bytes.length, HEAD);
  if (end <= 0) return end === 0 ? FAULT.REQUEST_LINE : end;
  const target: Target = { path: '', query: '', readings: null, authority: null, isVerbatim: true };
  const fault = readTarget(HEAD, target);
  if (fault < 0) return fault;
  const own = HEAD.hostLine === -1 ? '' : HEAD.fields.value(bytes, HEAD.hostLine);
  if (HEAD.hostLine !== -1 && !isAuthority(own)) return FAULT.HOST;
  const host = target.authority ?? own;
  const address = plainAddress(req.socket.remoteAddress);
  const peer: Peer = { address, isTrusted: isTrusted(address), isSecure: 'encrypted' in req.socket };
  const view = new HeadView(HEAD, target, host, peer, isTrusted);
  const ids = requestIds(HEAD, newId);
  return {
    view,
    target,
    ids,
    hasBody: HEAD.chunked || HEAD.length > 0,
    length: HEAD.length,
    outgoing(route, defaultHost) {
      const forwarded = forwardedLines(HEAD, peer, host);
      const rules = { forwarded, ids, isTrusted: peer.isTrusted };
      return headersOf(writeRequestHead(HEAD, target, rules, route, defaultHost));
    },
  };
}

/**
 * Expect stays here, for Node has answered it already, and http-proxy-middleware skips its hooks when it sees one. So does an upgrade: whoever
 * wants one has a listener for it on the server, and then the request does not come this way.
 */
const HERE = new Set(['expect', 'connection', 'upgrade']);

function headersOf(length: number): OutgoingHeaders {
  const headers = Object.create(null) as OutgoingHeaders;
  for (const [spelt, value] of scratchLines(length)) {
    const name = spelt.toLowerCase();
    if (HERE.has(name)) continue;
    const before = headers[name];
    headers[name] =
      before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  }
  return headers;
}
