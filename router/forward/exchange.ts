import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { problemHeaders, problemText } from './answers.ts';
import { clientHeaders, upstreamHeaders, valuesOf, type Hop } from './headers.ts';
import type { Observation, Plan, RequestHead, Route } from './plan.ts';
import type { Upstream, Upstreams } from './upstreams.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly head: RequestHead;
  readonly hop: Hop;
  readonly expectsContinue: boolean;
  /** performance.now() when the head had been read. */
  readonly started: number;
  readonly plan: Plan;
  readonly upstreams: Upstreams;
  readonly observe: (observation: Observation) => void;
}

type Failure = 'connect' | 'timeout' | 'reset' | 'protocol' | 'open';

/** Methods that may be sent a second time (RFC 9110 section 9.2.1), all of them without a body here. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Carries one plan out. A safe request whose upstream failed before its answer began is answered by the fallback; one that hit a
 * keep-alive socket which the upstream was just closing is sent once more on a fresh one. Once a byte of the answer has reached the
 * client nothing is retried: an upstream that dies then cuts the client too, so that a half never looks like a whole.
 */
export function runExchange(exchange: Exchange): void {
  const { request, response, head, plan, started } = exchange;
  let status = 0;
  let answeredBy: string | null = null;
  let own: Observation['own'] = null;
  let isOver = false;
  const route = 'upstream' in plan ? plan : null;
  const finish = (): void => {
    if (isOver) return;
    isOver = true;
    exchange.observe({
      method: head.method,
      path: head.path,
      route,
      status,
      answeredBy,
      own,
      milliseconds: performance.now() - started,
      aborted: !response.writableFinished,
      requestId: exchange.hop.requestId,
    });
  };
  response.on('close', finish);
  const answer = (code: number, headers: readonly string[], body: string): void => {
    status = code;
    // A body that was not read to its end would be taken for the next request.
    const close = request.complete || !hasBody(request) ? [] : ['Connection', 'close'];
    response.writeHead(code, [...headers, 'Content-Length', String(Buffer.byteLength(body)), ...close]);
    response.end(head.method === 'HEAD' ? '' : body);
    request.resume();
  };
  const problem = (code: number, name: string, detail: string): void =>
    answer(code, problemHeaders(code), problemText(code, name, detail));

  if ('refuse' in plan) {
    const { refuse } = plan;
    return answer(
      refuse.status,
      [...problemHeaders(refuse.status), ...(refuse.headers ?? []).flat()],
      problemText(refuse.status, refuse.code, refuse.detail),
    );
  }
  if ('reply' in plan) return answer(plan.reply.status, plan.reply.headers.flat(), plan.reply.body);
  if (tooLong(request, plan))
    return problem(413, 'BODY_TOO_LARGE', `the body is longer than ${plan.maxBody} bytes`);

  const canRepeat = SAFE.has(head.method) && !hasBody(request);
  attempt(exchange, plan, plan.upstream, {
    canRepeat,
    problem,
    failed(failure, code, milliseconds) {
      own ??= { status: code, failure, milliseconds };
      const covered =
        failure === null
          ? plan.fallbackOn.serverError
          : failure === 'timeout'
            ? plan.fallbackOn.timeout
            : plan.fallbackOn.connect;
      return canRepeat && plan.fallback !== null && covered ? plan.fallback : null;
    },
    answered(upstream, code, milliseconds) {
      status = code;
      answeredBy = upstream;
      own ??= { status: code, failure: null, milliseconds };
    },
  });
}

interface Events {
  readonly canRepeat: boolean;
  problem(status: number, code: string, detail: string): void;
  /** The upstream gave no answer (or a 5xx, with failure null). Says who answers instead; null: nobody. */
  failed(failure: Failure | null, status: number, milliseconds: number): string | null;
  answered(upstream: string, status: number, milliseconds: number): void;
}

function attempt(
  exchange: Exchange,
  route: Route,
  name: string,
  events: Events,
  isSecondSocket = false,
): void {
  const { request, response } = exchange;
  const upstream = exchange.upstreams.get(name);
  if (!upstream) return events.problem(503, 'NO_UPSTREAM', `the upstream ${name} is gone from the config`);
  const started = performance.now();
  const elapsed = (): number => performance.now() - started;
  let isSettled = false;
  const instead = (failure: Failure | null, status: number): string | null =>
    name === route.upstream ? events.failed(failure, status, elapsed()) : null;

  if (upstream.inFlight >= upstream.options.maxInFlight) {
    const other = instead('open', 0);
    return other
      ? attempt(exchange, route, other, events)
      : events.problem(503, 'OVERLOADED', `${name} has ${upstream.inFlight} requests in flight, its maximum`);
  }
  const outgoing = send(exchange, route, upstream);
  upstream.inFlight += 1;
  outgoing.on('close', () => (upstream.inFlight -= 1));
  const timer = setTimeout(
    () => fail('timeout'),
    route.responseTimeout ?? upstream.options.timeouts.response,
  );
  const connecting = setTimeout(() => fail('connect'), upstream.options.timeouts.connect);
  outgoing.on('socket', (socket) => {
    if (!socket.connecting) clearTimeout(connecting);
    else socket.once('connect', () => clearTimeout(connecting));
  });

  const settle = (): boolean => {
    if (isSettled) return false;
    isSettled = true;
    clearTimeout(timer);
    clearTimeout(connecting);
    return true;
  };
  const fail = (failure: Failure): void => {
    if (!settle()) return;
    const reused = outgoing.reusedSocket;
    request.unpipe(outgoing);
    outgoing.destroy();
    if (response.destroyed) return;
    if (reused && failure === 'reset' && events.canRepeat && !isSecondSocket)
      return attempt(exchange, route, name, events, true);
    const other = instead(failure, 0);
    if (other) return attempt(exchange, route, other, events);
    events.problem(
      failure === 'timeout' ? 504 : 502,
      failure === 'timeout' ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_FAILED',
      `${name} gave no answer (${failure})`,
    );
  };
  outgoing.on('error', (error: NodeJS.ErrnoException) =>
    fail(
      error.code === 'ECONNRESET' || error.code === 'EPIPE'
        ? 'reset'
        : error.code?.startsWith('HPE_')
          ? 'protocol'
          : 'connect',
    ),
  );
  // A plain request answered by 101 has no meaning; what follows could be anything.
  outgoing.on('upgrade', (_answer, socket) => {
    socket.destroy();
    fail('protocol');
  });
  outgoing.on('continue', () => response.writeContinue());
  outgoing.on(
    'information',
    (info) => void (info.statusCode === 103 && writeHints(response, info.rawHeaders)),
  );
  outgoing.on('response', (incoming) => {
    if (!settle()) return;
    const code = incoming.statusCode ?? 0;
    if (code >= 500 && events.canRepeat) {
      const other = instead(null, code);
      if (other) {
        incoming.resume();
        return attempt(exchange, route, other, events);
      }
    }
    events.answered(name, code, elapsed());
    relay(incoming, exchange, route);
  });
  response.on('close', () => {
    settle();
    outgoing.destroy();
  });
  if (hasBody(request) && route.maxBody !== null)
    limitBody(request, route.maxBody, () => {
      request.unpipe(outgoing);
      outgoing.destroy();
      if (settle()) events.problem(413, 'BODY_TOO_LARGE', `the body is longer than ${route.maxBody} bytes`);
      else response.destroy();
    });
}

/** A chunked body says its length only by ending, so it is counted on the way. */
function limitBody(request: IncomingMessage, maximum: number, exceeded: () => void): void {
  let received = 0;
  const count = (chunk: Buffer): void => {
    received += chunk.length;
    if (received <= maximum) return;
    request.off('data', count);
    exceeded();
  };
  request.on('data', count);
}

/** Sends the head and starts the body. The query is never touched, the path is the one that was decided on. */
function send(exchange: Exchange, route: Route, upstream: Upstream): ClientRequest {
  const { request, head, hop } = exchange;
  const headers = upstreamHeaders(request.rawHeaders, route, hop);
  if (request.headers['transfer-encoding'] !== undefined) headers.push('Transfer-Encoding', 'chunked');
  const outgoing = upstream.client.request(upstream.url, {
    agent: upstream.agent,
    method: head.method,
    path: head.path + head.query,
    headers: headers as never,
    setHost: false,
    setDefaultHeaders: false,
  });
  if (!hasBody(request)) outgoing.end();
  else {
    if (exchange.expectsContinue) outgoing.flushHeaders();
    request.pipe(outgoing);
  }
  return outgoing;
}

function relay(incoming: IncomingMessage, { request, response, head }: Exchange, route: Route): void {
  const headers = clientHeaders(incoming.rawHeaders, route);
  const isWhole =
    incoming.headers['content-length'] !== undefined ||
    head.method === 'HEAD' ||
    incoming.statusCode === 204 ||
    incoming.statusCode === 304;
  if (!isWhole && request.httpVersion !== '1.0') headers.push('Transfer-Encoding', 'chunked');
  if (incoming.rawTrailers.length > 0)
    headers.push('Trailer', incoming.rawTrailers.filter((_, index) => index % 2 === 0).join(', '));
  if (hasBody(request) && !request.complete) headers.push('Connection', 'close');
  response.sendDate = false;
  response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, headers);
  response.flushHeaders();
  incoming.on('error', () => response.destroy());
  incoming.on('aborted', () => response.destroy());
  incoming.on('end', () => {
    if (incoming.rawTrailers.length > 0) response.addTrailers(pairs(incoming.rawTrailers));
  });
  incoming.pipe(response);
}

function writeHints(response: ServerResponse, raw: readonly string[]): void {
  const links = valuesOf(raw, 'link');
  if (links.length > 0 && !response.headersSent) response.writeEarlyHints({ link: links });
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, index): [string, string][] => (index % 2 === 0 ? [[name, raw[index + 1]!]] : []));
}

function hasBody(request: IncomingMessage): boolean {
  return (
    request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] ?? '0') !== '0'
  );
}

function tooLong(request: IncomingMessage, route: Route): boolean {
  return route.maxBody !== null && Number(request.headers['content-length'] ?? 0) > route.maxBody;
}
