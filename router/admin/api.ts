import express, { type NextFunction, type Request, type Response } from 'express';
import { Problem, problemOf } from '../errors.ts';
import { changeFlag, type ChangeParts } from '../flags/change.ts';
import { etagOf } from '../flags/view.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Moves } from '../moves/moves.ts';
import { ofrepRoutes, type OfrepParts } from '../ofrep/routes.ts';
import type { Ramp } from '../ramp/loop.ts';
import { readAction, type Verb } from './action.ts';
import { createConsole } from './console.ts';
import { createDoor } from './door.ts';
import { createEvents } from './events.ts';
import { explain } from './explain.ts';
import type { Live } from './live.ts';
import { moveRoutes, summaryOf } from './moves.ts';
import { MAX_OBSERVATIONS_BODY, noteObservations, type ObservationParts } from './observations.ts';
import { parityRoutes, type ParityParts } from './parity.ts';
import type { FeatureJson, JournalJson, StatusJson, WorkerJson } from './protocol.ts';
import { featureJson } from './view.ts';

export interface AdminParts extends ChangeParts {
  readonly token: string;
  /** Of applications: for evaluating flags and reporting observations. */
  readonly appToken: string;
  readonly overrideKey: string | null;
  readonly metrics: Metrics;
  readonly windows: ObservationParts['windows'];
  /** Told of features that the default side does something of outside the traffic port; the evidence of retiring. */
  readonly defaultAnswered: (feature: string) => void;
  /** In [0, 1): draws what is shadowed. */
  readonly random: OfrepParts['random'];
  readonly ramp: Pick<Ramp, 'view' | 'gates'>;
  /** True from the first sign of the end: load balancers look here. */
  readonly isDraining: () => boolean;
  readonly shadow: ParityParts['shadow'];
  readonly dataPath: CarrierView;
  /** The numbers of the moment and of the last minutes, for `GET /api/events` and `/api/history`. */
  readonly live: Live;
  readonly moves: Moves;
  readonly log: { error(fields: object, message: string): void };
}

/** What carries requests, in this process or in workers. */
export interface CarrierView {
  connections(): number;
  instances(): unknown;
  /** null: this process carries them itself. */
  workers(): readonly WorkerJson[] | null;
  /** Resolves when whatever carries requests serves this version of the snapshot, or has had time enough to. */
  reached(version: string): Promise<void>;
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
    response.set({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cross-origin-resource-policy': 'same-origin',
    });
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

  const door = createDoor(parts);
  const json = express.json({ limit: MAX_BODY });
  app.use(ofrepRoutes(parts, door.admit));
  app.use(createConsole());
  app.route('/session').get(door.look).post(json, door.login).delete(door.logout);
  app.post(
    '/api/features/:name/observations',
    door.admit,
    express.json({ limit: MAX_OBSERVATIONS_BODY }),
    (request, response) => {
      const name = request.params['name'] as string;
      response.json({ counted: noteObservations(parts, current.snapshot(), name, request.body) });
    },
  );
  app.use(moveRoutes(parts.moves, door.authorize));
  app.use('/api', door.authorize, json);
  app.get(
    '/api/events',
    createEvents({
      live: parts.live.now,
      onSwap: current.onSwap,
      isStillOpen: door.isStillOpen,
      log: parts.log,
    }).listen,
  );
  app.get('/api/history', (_request, response) => void response.json(parts.live.history()));
  app.get('/api/status', (_request, response) => void response.json(status(parts) satisfies StatusJson));
  app.get('/api/features', (_request, response) => void response.json({ features: features(parts) }));
  app.get('/api/features/:name', (request, response) => {
    const feature = current.snapshot().features.get(request.params.name);
    if (!feature) throw new Problem('NOT_FOUND', `there is no feature "${request.params.name}"`);
    response.set('etag', etagOf(feature)).json(featureJson(current, feature, parts.ramp, parts.metrics));
  });
  app.put('/api/features/:name/split', (request, response) => change(parts, request, response, 'shift'));
  for (const kind of ['promote', 'rollback', 'pause', 'resume', 'kill'] as const) {
    app.post(`/api/features/:name/${kind}`, (request, response) => change(parts, request, response, kind));
  }
  app.get(
    '/api/explain',
    (request, response) => void response.json(explain(current.snapshot(), request.query, parts)),
  );
  app.get('/api/journal', (request, response) => {
    const limit = Number(request.query['limit'] ?? 100);
    if (!Number.isInteger(limit) || limit < 1 || limit > 10_000)
      throw new Problem('BAD_REQUEST', 'limit is a whole number from 1 to 10000');
    const { feature, move } = request.query;
    const all = journal
      .history()
      .filter((entry) =>
        'move' in entry
          ? feature === undefined && (move === undefined || entry.move === move)
          : move === undefined && (feature === undefined || entry.feature === feature),
      );
    response.json({ entries: all.slice(-limit).toReversed(), total: all.length } satisfies JournalJson);
  });
  app.use(parityRoutes(parts));
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

/** Who is told that a change is made may rely on it: no worker serves what was before. */
async function change(
  parts: AdminParts,
  request: Request<{ name: string }>,
  response: Response,
  kind: Verb,
): Promise<void> {
  const { action, who, why } = readAction(kind, request.body);
  const feature = await changeFlag(parts, {
    feature: request.params.name,
    action,
    ifMatch: request.get('if-match') ?? null,
    who,
    why,
  });
  await parts.dataPath.reached(parts.current.snapshot().version);
  response.set('etag', etagOf(feature)).json(featureJson(parts.current, feature, parts.ramp, parts.metrics));
}

function features(parts: AdminParts): FeatureJson[] {
  return [...parts.current.snapshot().features.values()].map((feature) =>
    featureJson(parts.current, feature, parts.ramp, parts.metrics),
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
    moves: parts.moves.all().map(summaryOf),
    uptimeSeconds: Math.round(process.uptime()),
  };
}

/** Errors of the body parser carry a status and a type; they are the caller's. */
function fromParser(error: unknown): unknown {
  const { type, status: code, message } = error as { type?: unknown; status?: unknown; message?: string };
  // A path that can't be decoded has a status too, and no type.
  if (error instanceof URIError || (typeof code === 'number' && code < 500 && typeof type !== 'string'))
    return new Problem('BAD_REQUEST', `the request can't be read: ${message}`);
  if (typeof type !== 'string' || typeof code !== 'number') return error;
  return code === 413
    ? new Problem(
        'TOO_LARGE',
        `the body is at most ${MAX_BODY} bytes (of observations: ${MAX_OBSERVATIONS_BODY})`,
      )
    : new Problem('BAD_REQUEST', `the body can't be read as JSON: ${message}`);
}
