import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Logger } from 'pino';

type Named = readonly [code: string, title: string];

/** An answer that is an error (RFC 9457). The detail is written for the caller. */
export class Problem extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Where it is not the status's own. */
  readonly named: Named | undefined;
  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}, named?: Named) {
    super(detail);
    this.status = status;
    this.headers = headers;
    this.named = named;
  }
}

/** For an upload whose bytes end too early or make no sense. */
export function damaged(): Problem {
  return new Problem(422, 'the picture is cut short or damaged; send it again');
}

/** For a disk or a database that is full; what had begun is undone by whoever throws it. */
export function noSpace(): Problem {
  return new Problem(507, 'nothing was stored: there is no room left; it works again as soon as there is', {
    'retry-after': '60',
  });
}

/** Code and title of each status, as the shop words them: its clients know errors by them. */
const NAMES: Readonly<Record<number, Named>> = {
  400: ['BAD_REQUEST', 'The request is not as expected'],
  401: ['UNAUTHENTICATED', 'Log in first'],
  403: ['FOREIGN_ORIGIN', 'This form was sent from another site'],
  404: ['NOT_FOUND', 'There is no such thing'],
  409: ['CONFLICT', 'This can not be done at once'],
  413: ['TOO_LARGE', 'This is too large'],
  415: ['UNSUPPORTED', 'This is not a picture the shop takes'],
  416: ['NOT_SATISFIABLE', 'The picture has no such bytes'],
  421: ['MISDIRECTED', 'This is written elsewhere'],
  422: ['DAMAGED', 'The picture is damaged'],
  429: ['TOO_MANY', 'Too many at once'],
  500: ['INTERNAL', 'The shop failed'],
  503: ['BUSY', 'Too busy at the moment'],
  507: ['NO_SPACE', 'The shop has no room left'],
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
    const problem =
      error instanceof Problem ? error : (fromDatabase(error) ?? fromDisk(error) ?? fromLibrary(error));
    if (problem.status === 500 || problem.status === 507)
      log.error({ err: error, path: request.path }, 'a request failed');
    for (const name of ['etag', 'cache-control', 'content-disposition', 'vary', 'accept-ranges'])
      response.removeHeader(name);
    response.set({ 'cache-control': 'no-store', ...problem.headers });
    const { status, message, named } = problem;
    const [code, title] = named ?? NAMES[status] ?? ['ERROR', 'Error'];
    response
      .status(status)
      .type('application/problem+json')
      .end(JSON.stringify({ type: 'about:blank', title, status, code, detail: message }));
  };
}

/**
 * What a database says of data that is being moved, by SQLSTATE; in each case nothing was done. SK421: the row is written by the other side, which
 * the error's detail names. SK409: rows of two sides in one transaction. SK503: no id is leased. Null for every other error.
 */
function fromDatabase(error: unknown): Problem | null {
  const { code, detail } = (error ?? {}) as { code?: unknown; detail?: unknown };
  if (code === 'SK421') {
    const home = typeof detail === 'string' ? { 'strangler-home': detail } : {};
    return new Problem(421, 'nothing was done here: another side writes this', home);
  }
  if (code === 'SK409') return new Problem(409, 'nothing was done: it concerns what two sides write');
  if (code === 'SK503') return new Problem(503, 'no id is free for a new picture', { 'retry-after': '1' });
  return null;
}

/** A full disk, or a quota that is used up; class 53100 is the database's. */
function fromDisk(error: unknown): Problem | null {
  const { code } = (error ?? {}) as { code?: unknown };
  return code === 'ENOSPC' || code === 'EDQUOT' || code === '53100' ? noSpace() : null;
}

function fromLibrary(error: unknown): Problem {
  const { status, type } = (error ?? {}) as { status?: unknown; type?: unknown };
  if (type === 'entity.too.large') return new Problem(413, 'the body is too long');
  return typeof status === 'number' && status >= 400 && status < 500
    ? new Problem(400, 'the path or the body can not be read')
    : new Problem(500, 'the error is in the log');
}
