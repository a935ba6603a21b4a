import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { Problem } from '../errors.ts';
import type { Current } from '../flags/current.ts';
import { hash } from '../flags/snapshot.ts';
import type { Evaluations } from '../metrics/evaluations.ts';
import type { Decision } from '../request/decide.ts';
import { MAX_BODY, readContext } from './body.ts';
import { evaluate, flagsOf, type ErrorCode, type Failure } from './evaluate.ts';

export interface OfrepParts {
  readonly current: Pick<Current, 'snapshot'>;
  readonly metrics: { readonly evaluations: Pick<Evaluations, 'note'> };
  /** Told of features that the default side does; the evidence of retiring. */
  readonly defaultAnswered: (feature: string) => void;
  /** In [0, 1): for sampling. */
  readonly random: () => number;
  readonly log: { error(fields: object, message: string): void };
}

const STATUS: Readonly<Record<ErrorCode, number>> = {
  FLAG_NOT_FOUND: 404,
  PARSE_ERROR: 400,
  TARGETING_KEY_MISSING: 400,
  INVALID_CONTEXT: 400,
  GENERAL: 500,
};

const ONE = '/ofrep/v1/evaluate/flags/:key';
const ALL = '/ofrep/v1/evaluate/flags';

/**
 * OpenFeature's remote evaluation protocol: any language asks for the flags of features, also of those that are routes, and gets what a request would. An
 * evaluation changes nothing but what is counted.
 */
export function ofrepRoutes(parts: OfrepParts, admit: RequestHandler): express.Router {
  const router = express.Router();
  // Whatever it calls itself: there is nothing else that it could be.
  const json = express.json({ limit: MAX_BODY, type: () => true });

  const note = (decision: Decision | null, fallback: string): void => {
    if (decision === null) return;
    parts.metrics.evaluations.note(decision);
    if (decision.upstream === fallback) parts.defaultAnswered(decision.feature);
  };

  router.post(ONE, admit, json, (request, response) => {
    const key = request.params['key'] as string;
    const read = readContext(request.body);
    if ('errorCode' in read) return refuse(response, { key, ...read });
    const snapshot = parts.current.snapshot();
    const feature = flagsOf(snapshot).get(key);
    if (!feature)
      return refuse(response, {
        key,
        errorCode: 'FLAG_NOT_FOUND',
        errorDetails: `no feature is decided by a flag "${key}"`,
      });
    const { answer, decision } = evaluate(
      snapshot,
      feature,
      read.context,
      (sample) => parts.random() < sample,
    );
    note(decision, snapshot.config.default);
    if ('errorCode' in answer) refuse(response, answer);
    else response.json(answer);
  });

  router.post(ALL, admit, json, (request, response) => {
    const read = readContext(request.body);
    if ('errorCode' in read) return void response.status(400).json(read);
    const snapshot = parts.current.snapshot();
    const flags = [...flagsOf(snapshot).values()].map((feature) => {
      // Who asks for all of them keeps the answer, and a sample that is kept is none.
      const { answer, decision } = evaluate(snapshot, feature, read.context, () => false);
      note(decision, snapshot.config.default);
      return answer;
    });
    const text = JSON.stringify({ flags });
    const etag = `"${hash(text)}"`;
    response.set('etag', etag);
    if (isKnown(request.get('if-none-match'), etag)) return void response.status(304).end();
    response.type('json').send(text);
  });

  // What is refused here is refused in the protocol's words, which its providers understand; who may not ask is told as everywhere else.
  router.use('/ofrep', (error: unknown, request: Request, response: Response, next: NextFunction) => {
    if (error instanceof Problem || response.headersSent) return next(error);
    const key = lastSegment(request.originalUrl);
    const { status, message, type } = error as { status?: unknown; message?: string; type?: unknown };
    if (typeof status === 'number' && status < 500) {
      const why = type === 'entity.too.large' ? `it is at most ${MAX_BODY} bytes` : message;
      return refuse(response, {
        key,
        errorCode: 'PARSE_ERROR',
        errorDetails: `the request can't be read: ${why}`,
      });
    }
    parts.log.error({ err: error, path: request.path }, 'an evaluation failed');
    refuse(response, { key, errorCode: 'GENERAL', errorDetails: 'the router failed; its log says why' });
  });
  return router;
}

function refuse(response: Response, failure: Failure): void {
  response.status(STATUS[failure.errorCode]).json(failure);
}

/** Weak comparison of RFC 9110 section 13.1.2. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}

/** The key as it was sent: one that can't be decoded has no other form. */
function lastSegment(url: string): string {
  const path = url.split('?', 1)[0]!;
  return path.slice(path.lastIndexOf('/') + 1);
}
