import { Registry } from '@prometheus-io/client';
import express from 'express';
import type { Logger } from 'pino';
import type { Clean } from './clean.ts';
import { imageRoutes } from './images.ts';
import type { Mirrored } from './mirrored.ts';
import { createPictureMetrics, type PictureMetrics } from './picture-metrics.ts';
import { docsRoutes } from './openapi/docs.ts';
import { createProbes, type IsReady } from './probes.ts';
import { noSuchRoute, problems } from './problem.ts';
import type { Renditions } from './renditions.ts';
import type { SessionCheck } from './session.ts';
import type { AllowSize } from './sizes.ts';
import type { Store } from './store.ts';
import type { Receive } from './upload.ts';

export interface AppOptions {
  readonly store: Store;
  readonly clean: Clean;
  readonly renditions: Renditions;
  readonly receive: Receive;
  readonly sessions: Pick<SessionCheck, 'require'>;
  /** Given while data moves: tells whether what was written is on the other side too, and a write is answered after it. */
  readonly mirrored?: Mirrored | undefined;
  /** Default: every size may be asked for. */
  readonly allowSize?: AllowSize;
  /** Whose X-Forwarded-For is believed, as Express has it; null: nobody's. Default: this machine's. */
  readonly trustProxy?: readonly string[] | null;
  /** Where the metrics are kept. Default: one of its own. */
  readonly registry?: Registry;
  readonly metrics?: PictureMetrics;
  readonly isReady: IsReady;
  readonly log: Pick<Logger, 'error'>;
}

/** The image contract, and what operators ask of every process. */
export function createApp({
  isReady,
  log,
  trustProxy = ['loopback'],
  registry = new Registry(),
  metrics = createPictureMetrics(registry),
  ...parts
}: AppOptions): express.Express {
  const probes = createProbes(isReady, registry);
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', trustProxy ?? false);
  app.use(probes.count, (_request, response, next) => {
    response.set('x-content-type-options', 'nosniff');
    next();
  });
  app.use(probes.routes);
  app.use(docsRoutes());
  app.use(imageRoutes({ ...parts, metrics }));
  app.use(noSuchRoute);
  app.use(problems(log));
  return app;
}
