import express, { type NextFunction, type Request, type Response } from 'express';
import { Problem, problemOf } from '../errors.ts';
import { changeFlag, type Action, type ChangeParts } from '../flags/change.ts';
import { etagOf } from '../flags/view.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { readAction } from './action.ts';
import { explain } from './explain.ts';
import type { FeatureJson, JournalJson, StatusJson, WorkerJson } from './protocol.ts';
import { isToken } from './token.ts';
import { featureJson } from './view.ts';

export interface AdminParts extends ChangeParts {
  readonly token: string;
  readonly overrideKey: string | null;
  readonly metrics: Metrics;
  /** True from the first sign of the end: load balancers look here. */
  readonly isDraining: () => boolean;
  readonly dataPath: {
    connections(): number;
    instances(): unknown;
    workers(): readonly WorkerJson[] | null;
  };
  readonly log: { error(fields: object, message: string): void };
}

/** Longest body of a change, in bytes. */
const MAX_BODY = 16_384;

/** The admin port: health and metrics for machines, and every change under a token. */
export function createAdmin(parts: AdminParts): express.Express {
  const { current, journal } = parts;
  const app = express();
  app.disable('x-powered-by');
  // Every answer's ETag is the feature's own, never one of the body's bytes.
  app.disable('etag');
  app.use((_request, response, next) => {
    response.set({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    next();
  });
  app.get('/livez', (_request, response) => void response.json({ status: 'live' }));
  app.get(
    '/readyz',
    (_request, response) =>
      void response
        .status(parts.isDraining() ? 503 : 200)
        .json({ status: parts.isDraining() ? 'draining' : 'ready' }),
  );
  app.get(
    '/metrics',
    async (_request, response) =>
      void response.type(parts.metrics.contentType).send(await parts.metrics.text()),
  );

  app.use('/api', authorize(parts.token), express.json({ limit: MAX_BODY }));
  app.get('/api/status', (_request, response) => void response.json(status(parts) satisfies StatusJson));
  app.get('/api/features', (_request, response) => void response.json({ features: features(parts) }));
  app.get('/api/features/:name', (request, response) => {
    const feature = current.snapshot().features.get(request.params.name);
    if (!feature) throw new Problem('NOT_FOUND', `there is no feature "${request.params.name}"`);
    response.set('etag', etagOf(feature)).json(featureJson(current, feature));
  });
  app.put('/api/features/:name/split', (request, response) => change(parts, request, response, 'shift'));
  for (const kind of ['promote', 'rollback', 'pause', 'resume', 'kill'] as const) {
    app.post(`/api/features/:name/${kind}`, (request, response) => change(parts, request, response, kind));
  }
  app.get(
    '/api/explain',
    (request, response) =>
      void response.json(explain(current.snapshot(), request.query, parts.overrideKey, parts.now)),
  );
  app.get('/api/journal', (request, response) => {
    const limit = Number(request.query['limit'] ?? 100);
    if (!Number.isInteger(limit) || limit < 1 || limit > 10_000)
      throw new Problem('BAD_REQUEST', 'limit is a whole number from 1 to 10000');
    const feature = request.query['feature'];
    const all = journal.entries().filter((entry) => feature === undefined || entry.feature === feature);
    response.json({ entries: all.slice(-limit).toReversed(), total: all.length } satisfies JournalJson);
  });
  app.use((request: Request) => {
    throw new Problem('NOT_FOUND', `there is no ${request.method} ${request.path} on the admin port`);
  });
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    const expected = fromParser(error);
    const { status: code, body } = problemOf(expected);
    if (code >= 500) parts.log.error({ err: error, path: request.path }, 'the admin API failed');
    response.status(code).type('application/problem+json').send(JSON.stringify(body));
  });
  return app;
}

function authorize(token: string) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const given = /^Bearer (.+)$/i.exec(request.get('authorization') ?? '')?.[1];
    if (given !== undefined && isToken(given, token)) return next();
    response.set('www-authenticate', 'Bearer realm="strangler"');
    throw new Problem(
      'UNAUTHORIZED',
      'send Authorization: Bearer with the token from STRANGLER_ADMIN_TOKEN, or from admin-token in the state folder',
    );
  };
}

function change(
  parts: AdminParts,
  request: Request<{ name: string }>,
  response: Response,
  kind: Action['kind'],
): void {
  const { action, who, why } = readAction(kind, request.body);
  const feature = changeFlag(parts, {
    feature: request.params.name,
    action,
    ifMatch: request.get('if-match') ?? null,
    who,
    why,
  });
  response.set('etag', etagOf(feature)).json(featureJson(parts.current, feature));
}

function features(parts: AdminParts): FeatureJson[] {
  return [...parts.current.snapshot().features.values()].map((feature) =>
    featureJson(parts.current, feature),
  );
}

function status(parts: AdminParts): StatusJson {
  const { config, flags } = parts.current.status();
  return {
    config,
    flags: { ...flags, writable: parts.current.snapshot().config.flags.writable },
    version: parts.current.snapshot().version,
    draining: parts.isDraining(),
    connections: parts.dataPath.connections(),
    upstreams: parts.dataPath.instances(),
    workers: parts.dataPath.workers(),
    features: features(parts),
    uptimeSeconds: Math.round(process.uptime()),
  };
}

/** Errors of the body parser carry a status and a type; they are the caller's. */
function fromParser(error: unknown): unknown {
  const { type, status: code, message } = error as { type?: unknown; status?: unknown; message?: string };
  if (typeof type !== 'string' || typeof code !== 'number') return error;
  return code === 413
    ? new Problem('TOO_LARGE', `the body of a change is at most ${MAX_BODY} bytes`)
    : new Problem('BAD_REQUEST', `the body can't be read as JSON: ${message}`);
}
