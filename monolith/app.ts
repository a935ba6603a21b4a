import { join } from 'node:path';
import { Counter, collectDefaultMetrics, type Registry } from '@prometheus-io/client';
import express, { type NextFunction, type Request, type Response } from 'express';
import type pg from 'pg';
import type { Logger } from 'pino';
import { asProblem } from './errors.ts';
import { imageRoutes } from './images.ts';
import { loginRoutes, refuseForeignForms, wantsPage } from './login.ts';
import { orderRoutes } from './orders.ts';
import { productRoutes } from './products.ts';
import type { Sessions } from './sessions.ts';

export interface AppParts {
  readonly pool: pg.Pool;
  readonly blobDir: string;
  readonly sessions: Sessions;
  readonly mail: { wake(): void };
  readonly registry: Registry;
  readonly isDraining: () => boolean;
  readonly log: Pick<Logger, 'error'>;
}

const CSP =
  "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

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
    response.on('finish', () =>
      requests.inc({
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
  app.use(express.static(join(import.meta.dirname, 'public'), { maxAge: '1h', index: false }));
  app.use(refuseForeignForms);
  app.use(
    express.json({ limit: '100kb' }),
    express.urlencoded({ extended: false, limit: '100kb', parameterLimit: 50 }),
  );
  app.use(loginRoutes(pool, sessions));
  app.use(orderRoutes(pool, sessions, parts.mail));
  app.use(imageRoutes({ pool, blobDir: parts.blobDir, userOf: sessions.userOf, log }));
  app.use(productRoutes(pool, sessions));
  app.use((request: Request, response: Response) =>
    problem(request, response, 404, 'NOT_FOUND', 'There is no such page', `nothing is at ${request.path}`),
  );
  app.use((error: unknown, request: Request, response: Response, next: NextFunction) => {
    if (response.destroyed) return;
    if (response.headersSent) return next(error);
    const found = asProblem(error);
    if (found.status === 500) log.error({ err: error, path: request.path }, 'a request failed');
    for (const name of ['etag', 'cache-control', 'content-disposition']) response.removeHeader(name);
    if (found.retryAfter !== null) response.set('retry-after', String(found.retryAfter));
    problem(request, response, found.status, found.code, found.title, found.message);
  });
  return app;
}

/** People get a page, programs a problem document (RFC 9457). */
function problem(
  request: Request,
  response: Response,
  status: number,
  code: string,
  title: string,
  detail: string,
): void {
  response.status(status).set('cache-control', 'no-store');
  if (wantsPage(request)) response.render('problem', { user: null, title, detail });
  else
    response
      .type('application/problem+json')
      .send(JSON.stringify({ type: 'about:blank', title, status, code, detail }));
}
