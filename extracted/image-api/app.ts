import express from 'express';
import type { Logger } from 'pino';
import { imageRoutes } from './images.ts';
import type { Mirrored } from './mirrored.ts';
import { createProbes, type IsReady } from './probes.ts';
import { noSuchRoute, problems } from './problem.ts';
import type { Renderer } from './render.ts';
import type { SessionCheck } from './session.ts';
import type { Store } from './store.ts';
import type { Receive } from './upload.ts';

export interface AppOptions {
  readonly store: Store;
  readonly renderer: Renderer;
  readonly receive: Receive;
  readonly sessions: Pick<SessionCheck, 'require'>;
  /** Given while data moves: tells whether what was written is on the other side too, and a write is answered after it. */
  readonly mirrored?: Mirrored | undefined;
  readonly isReady: IsReady;
  readonly log: Pick<Logger, 'error'>;
}

/** The image contract, and what operators ask of every process. */
export function createApp({ isReady, log, ...parts }: AppOptions): express.Express {
  const probes = createProbes(isReady);
  const app = express();
  app.disable('x-powered-by');
  app.use(probes.count, (_request, response, next) => {
    response.set('x-content-type-options', 'nosniff');
    next();
  });
  app.use(probes.routes);
  app.use(imageRoutes(parts));
  app.use(noSuchRoute);
  app.use(problems(log));
  return app;
}
