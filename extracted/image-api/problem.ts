import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Logger } from 'pino';

/** An answer that is an error (RFC 9457). The detail is written for the caller. */
export class Problem extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }
}

/** Code and title of each status, as the shop words them: its clients know errors by them. */
const NAMES: Readonly<Record<number, readonly [code: string, title: string]>> = {
  400: ['BAD_REQUEST', 'The request is not as expected'],
  401: ['UNAUTHENTICATED', 'Log in first'],
  403: ['FOREIGN_ORIGIN', 'This form was sent from another site'],
  404: ['NOT_FOUND', 'There is no such thing'],
  413: ['TOO_LARGE', 'This is too large'],
  415: ['UNSUPPORTED', 'This is not a picture the shop takes'],
  422: ['DAMAGED', 'The picture is damaged'],
  500: ['INTERNAL', 'The shop failed'],
  503: ['BUSY', 'Too busy at the moment'],
};

export const noSuchRoute: RequestHandler = (request) => {
  throw new Problem(404, `nothing is at ${request.method} ${request.path}`);
};

/** Turns whatever was thrown into a problem document; what nobody expected is logged and not shown. */
export function problems(log: Pick<Logger, 'error'>): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    // Nobody is there any more to hear of it, nor did anything go wrong.
    if (response.destroyed) return;
    if (response.headersSent) return next(error);
    const problem = error instanceof Problem ? error : fromLibrary(error);
    if (problem.status >= 500 && problem.status !== 503)
      log.error({ err: error, path: request.path }, 'a request failed');
    for (const name of ['etag', 'cache-control', 'content-disposition', 'vary']) response.removeHeader(name);
    response.set({ 'cache-control': 'no-store', ...problem.headers });
    const { status, message } = problem;
    const [code, title] = NAMES[status] ?? ['ERROR', 'Error'];
    response
      .status(status)
      .type('application/problem+json')
      .end(JSON.stringify({ type: 'about:blank', title, status, code, detail: message }));
  };
}

function fromLibrary(error: unknown): Problem {
  const { status, type } = (error ?? {}) as { status?: unknown; type?: unknown };
  if (type === 'entity.too.large') return new Problem(413, 'the body is too long');
  return typeof status === 'number' && status >= 400 && status < 500
    ? new Problem(400, 'the path or the body can not be read')
    : new Problem(500, 'the error is in the log');
}
