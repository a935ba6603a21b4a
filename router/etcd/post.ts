import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';

/** A call to etcd that has no good answer. `message` says what, where and why. */
export class EtcdError extends Error {
  /** `refused`: etcd answered that it won't. `unanswered`: nobody gave an answer, so a write may have been done all the same. */
  readonly kind: 'refused' | 'unanswered';
  /** The gRPC code of a refusal (https://grpc.io/docs/guides/status-codes/), else null. */
  readonly code: number | null;
  constructor(kind: EtcdError['kind'], code: number | null, message: string) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

/**
 * Refusals that another member, or the same one a moment later, would not repeat: time-outs, no leader, too many requests, what a member
 * in trouble says of itself. Of the others the answer is the answer.
 */
const PASSING = new Set([1, 2, 4, 8, 10, 13, 14]);

/** Sockets to etcd's members; one a client, so that a closed client leaves none behind. */
export interface Sockets {
  readonly plain: Agent;
  readonly tls: TlsAgent;
}

export function openSockets(): Sockets {
  return { plain: new Agent({ keepAlive: true }), tls: new TlsAgent({ keepAlive: true }) };
}

export function closeSockets({ plain, tls }: Sockets): void {
  plain.destroy();
  tls.destroy();
}

/** Begins a POST to one member. The caller ends it by `destroy`. */
export function send(sockets: Sockets, url: string, path: string, body: unknown): ClientRequest {
  const target = new URL(`/v3/${path}`, url);
  const isTls = target.protocol === 'https:';
  const text = JSON.stringify(body);
  const request = (isTls ? tlsRequest : httpRequest)(target, {
    method: 'POST',
    agent: isTls ? sockets.tls : sockets.plain,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
  });
  request.end(text);
  return request;
}

/**
 * One unary call to one member. Rejects with what went wrong, without the member's address, after `timeout` milliseconds at the latest.
 * A stream's first message (keepalive) is answered like a unary one.
 */
export async function call(
  sockets: Sockets,
  url: string,
  path: string,
  body: unknown,
  timeout: number,
): Promise<Record<string, unknown>> {
  const request = send(sockets, url, path, body);
  const timer = setTimeout(
    () => request.destroy(new EtcdError('unanswered', null, `no answer within ${timeout} ms`)),
    timeout,
  );
  try {
    const response = await answerOf(request);
    let text = '';
    response.setEncoding('utf8');
    for await (const chunk of response) text += chunk;
    return read(response.statusCode ?? 0, text);
  } catch (error) {
    if (error instanceof EtcdError) throw error;
    throw new EtcdError(
      'unanswered',
      null,
      (error as NodeJS.ErrnoException).code ?? (error as Error).message,
    );
  } finally {
    clearTimeout(timer);
  }
}

/** The head of the answer; an error of the request rejects, also one that comes later while the body is read. */
export function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      request.on('error', (error) => response.destroy(error));
      resolve(response);
    });
  });
}

function read(status: number, text: string): Record<string, unknown> {
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new EtcdError('unanswered', null, `HTTP ${status}, and no JSON: ${text.slice(0, 100)}`);
  }
  const error = 'error' in parsed ? (parsed['error'] as unknown) : null;
  if (error === null && status < 300) return (parsed['result'] ?? parsed) as Record<string, unknown>;
  // A stream wraps its error in an object of its own.
  const fault = (typeof error === 'object' && error !== null ? error : parsed) as Record<string, unknown>;
  const code = Number(fault['code'] ?? fault['grpc_code'] ?? 2);
  const message = String(fault['message'] ?? error ?? `HTTP ${status}`);
  throw new EtcdError(PASSING.has(code) ? 'unanswered' : 'refused', code, message);
}
