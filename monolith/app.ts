import { join } from 'node:path';
import { Counter, collectDefaultMetrics, type Registry } from '@prometheus-io/client';
import express, { type NextFunction, type Request, type Response } from 'express';
import type pg from 'pg';
import type { Logger } from 'pino';
import { Problem, asProblem } from './errors.ts';
import { imageRoutes } from './images.ts';
import { loginRoutes, refuseForeignForms, wantsPage } from './login.ts';
import type { Mail } from './mail.ts';
import type { Mirrored } from './mirrored.ts';
import { orderRoutes } from './orders.ts';
import type { WithPictures } from './pictures-elsewhere.ts';
import { productRoutes } from './products.ts';
import { reviewRoutes } from './reviews.ts';
import type { Sessions } from './sessions.ts';

export interface AppParts {
  readonly pool: pg.Pool;
  readonly blobDir: string;
  readonly sessions: Sessions;
  readonly mail: Pick<Mail, 'senderFor' | 'wake'>;
  readonly registry: Registry;
  readonly isDraining: () => boolean;
  readonly log: Pick<Logger, 'error'>;
  readonly mirrored?: Mirrored | undefined;
  readonly withPictures?: WithPictures | undefined;
}

const CSP =
  "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const PUBLIC = join(import.meta.dirname, 'public');
const CACHED = { maxAge: '1h' };
/** Bytes of a body, pictures apart. */
const BODY_LIMIT = 100 * 1024;

/** The whole shop as one Express application, as shops used to be. */
export function createApp(parts: AppParts): express.Express {
  const { pool, sessions, registry, log } = parts;
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'shop_requests_total',
    help: 'Requests by route and status',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  const copies = new Counter({
    name: 'shop_shadow_copies_total',
    help: 'Requests that repeat one which a service answers, to compare the answers: nobody waits for them',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  const app = express();
  app.disable('x-powered-by');
  app.set('view engine', 'ejs');
  app.set('views', join(import.meta.dirname, 'views'));
  app.use((request, response, next) => {
    response.set({
      'content-security-policy': CSP,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
    });
    // Nobody should come back on this connection: the next process has another.
    if (parts.isDraining()) response.set('connection', 'close');
    const counter = request.get('strangler-shadow') === undefined ? requests : copies;
    response.on('finish', () =>
      counter.inc({
        method: request.method,
        route: (request.route as { path?: string } | undefined)?.path ?? 'none',
        status: String(response.statusCode),
      }),
    );
    next();
  });
  app.get('/livez', (_request, response) => void response.json({ status: 'live' }));
  app.get('/readyz', async (_request, response) => {
    const isReady =
      !parts.isDraining() &&
      (await pool.query('SELECT 1').then(
        () => true,
        () => false,
      ));
    response.status(isReady ? 200 : 503).json({ status: isReady ? 'ready' : 'not ready' });
  });
  app.get(
    '/metrics',
    async (_request, response) => void response.type(registry.contentType).send(await registry.metrics()),
  );
  // Browsers ask for this one where no page names another: at a picture or a JSON document.
  app.get('/favicon.ico', (_request, response) => response.sendFile(join(PUBLIC, 'favicon.svg'), CACHED));
  app.use(express.static(PUBLIC, { ...CACHED, index: false }));
  app.use(refuseForeignForms);
  app.use(
    express.json({ limit: BODY_LIMIT }),
    express.urlencoded({ extended: false, limit: BODY_LIMIT, parameterLimit: 50 }),
  );
  app.use(loginRoutes(pool, sessions));
  app.use(orderRoutes(pool, sessions, parts.mail, log));
  app.use(
    imageRoutes({ pool, blobDir: parts.blobDir, userOf: sessions.userOf, log, mirrored: parts.mirrored }),
  );
  app.use(reviewRoutes(pool, sessions));
  app.use(productRoutes(pool, sessions, parts.withPictures));
  app.use((request: Request) => {
    throw new Problem('NOT_FOUND', `nothing is at ${request.path}`);
  });
  const answer = async (problem: Problem, request: Request, response: Response): Promise<void> => {
    response.status(problem.status).set('cache-control', 'no-store').vary('Accept');
    // Who is told to ask elsewhere is a program, whatever the request was.
    if (!wantsPage(request) || problem.home !== null)
      return void response.type('application/problem+json').send(JSON.stringify(problem));
    // The page greets whoever is logged in; when the shop itself failed, it does not ask the database for that.
    const user = problem.status < 500 ? await sessions.userOf(request).catch(() => null) : null;
    response.render('problem', { user, problem });
  };
  app.use(async (error: unknown, request: Request, response: Response, next: NextFunction) => {
    if (response.destroyed) return;
    if (response.headersSent) return next(error);
    const problem = asProblem(error);
    if (problem.status === 500) log.error({ err: error, path: request.path }, 'a request failed');
    for (const name of ['etag', 'content-disposition']) response.removeHeader(name);
    if (problem.retryAfter !== null) response.set('retry-after', String(problem.retryAfter));
    if (problem.home !== null) response.set('strangler-home', problem.home);
    await answer(problem, request, response);
  });
  return app;
}
