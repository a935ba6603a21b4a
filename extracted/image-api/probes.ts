import { Counter, Gauge, collectDefaultMetrics, type Registry } from '@prometheus-io/client';
import express from 'express';

/** Answers whether requests should be sent here. */
export type IsReady = () => Promise<boolean>;

export interface Probes {
  /** Counts what passes; goes before everything. */
  readonly count: express.RequestHandler;
  /** `/livez`, `/readyz`, `/metrics`. */
  readonly routes: express.Router;
}

/** What operators ask of every process. */
export function createProbes(isReady: IsReady, registry: Registry): Probes {
  // The loop's delay is measured by a timer that fires this often, in milliseconds: at 10, the preset, that alone takes 1.6 % of a core, and disturbs the codec. Its utilization is, by
  // preset, reckoned ten times a second.
  collectDefaultMetrics({
    register: registry,
    eventLoopMonitoringPrecision: 100,
    eventLoopUtilizationTimeout: 1000,
  });
  const requests = new Counter({
    name: 'image_api_requests_total',
    help: 'Requests by route and status; 499 where the client went away before the answer was complete',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  const copies = new Counter({
    name: 'image_api_shadow_copies_total',
    help: 'Requests that repeat one which the monolith answers, to compare the answers: nobody waits for them',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  const inFlight = new Gauge({
    name: 'image_api_requests_in_flight',
    help: 'Requests that are being answered',
    registers: [registry],
  });
  const routes = express.Router();
  routes.get('/livez', (_request, response) => void response.json({ status: 'live' }));
  routes.get('/readyz', async (_request, response) => {
    const ready = await isReady();
    response.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not ready' });
  });
  routes.get(
    '/metrics',
    async (_request, response) => void response.type(registry.contentType).send(await registry.metrics()),
  );
  return {
    routes,
    count: (request, response, next) => {
      inFlight.inc();
      response.on('close', () => {
        inFlight.dec();
        const counter = request.get('strangler-shadow') === undefined ? requests : copies;
        counter.inc({
          method: request.method,
          // The template, not the path: a label for every picture would be a metric for every picture.
          route: (request.route as { path?: string } | undefined)?.path ?? 'none',
          status: String(response.writableFinished ? response.statusCode : 499),
        });
      });
      next();
    },
  };
}
