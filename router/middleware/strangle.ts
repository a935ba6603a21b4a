import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { resolve } from 'node:path';
import { pino } from 'pino';
import { faultLine } from '../config/fault.ts';
import { stateFolder } from '../config/state.ts';
import { createDiscovery } from '../discovery.ts';
import { StartFaults, loadCurrent, type Current } from '../flags/current.ts';
import { networks } from '../http/forwarded.ts';
import { FAULT, faultOf } from '../http/faults.ts';
import { createIds } from '../http/ids.ts';
import { createPipeline } from '../pipeline.ts';
import { capBody } from './capped-body.ts';
import { Carry } from './carry.ts';
import { isEaten } from './metered-body.ts';
import { toMonolith } from './monolith-side.ts';
import { reply, tell } from './own-reply.ts';
import { receive, type Received } from './received.ts';
import { createServices } from './services.ts';

export interface StrangleOptions {
  /** Path of strangler.yaml, the very file the router takes; `listen` and `admin` are not used. */
  readonly config: string;
  /** Default: the process's own. STRANGLER_OVERRIDE_KEY, DATA_DIR, LOG_LEVEL and what the config expands. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where rejected files and unexpected failures are told. Default: pino on stdout. */
  readonly log?: Pick<pino.Logger, 'info' | 'warn' | 'error'>;
}

/** A connect-style handler, for `app.use()`. */
export interface Strangle {
  (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void;
  /** Re-reads the files at once. */
  reload(): void;
  /** Stops watching the files and closes idle connections; requests under way finish. Idempotent. */
  close(): void;
}

/** The application is put together in a way that would lose or misroute requests; the message says what to change. */
class MisplacedError extends Error {
  override readonly name = 'MisplacedError';
}

/**
 * The split inside an Express monolith: `app.use(strangle({ config: 'strangler.yaml' }))`, at the root and before everything that reads bodies or
 * cookies. The `default` upstream is the monolith itself, so its traffic goes on with `next()`; what is decided for another one is carried there.
 * Same config, flags, keys, overrides, stages and `maxBody` as the router, by the same code. Opens no port. Throws when a file is wrong, one line a fault.
 *
 * What the router does and this does not: it has no metrics, no request log and no admin API; it keeps no evidence, so its traffic neither feeds
 * gates and ramps nor counts against retiring a feature; it does not shadow; WebSockets stay with the monolith.
 */
export function strangle({ config, env = process.env, log: given }: StrangleOptions): Strangle {
  const log = given ?? pino({ name: 'strangle', level: env['LOG_LEVEL'] ?? 'info' });
  const stateDir = stateFolder(config, env);
  const current = load(resolve(config), stateDir, env);
  const services = createServices();
  const discovery = createDiscovery({ stateDir, env, setUpstreams: services.setUpstreams, log });
  discovery.use(current.snapshot().config);
  current.onSwap((_before, { config, version }) => {
    discovery.use(config);
    log.info({ version }, 'serving a new snapshot');
  });
  const overrideKey = env['STRANGLER_OVERRIDE_KEY'] || null;
  const plan = createPipeline({
    snapshot: current.snapshot,
    overrideKey,
    now: Date.now,
    newId: randomUUID,
  });
  const newId = createIds();
  const isTrusted = trustOf(current);
  const watching = watch(current, log);

  function handle(req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void {
    const misplaced = misplacement(req);
    if (misplaced !== null) return next(new MisplacedError(misplaced));
    const received = receive(req, { isTrusted: isTrusted(), newId });
    if (typeof received === 'number') return tell(req, res, faultOf(received), newId(16), CLOSE);
    const { requestId } = received.ids;
    const planned = plan(received.view);
    if ('refuse' in planned) return tell(req, res, planned.refuse, requestId, planned.refuse.headers);
    if ('reply' in planned) return reply(req, res, planned.reply, requestId);
    const { upstream, maxBody } = planned;
    if (maxBody !== null && received.length > maxBody)
      return tell(req, res, faultOf(FAULT.BODY_TOO_LARGE), requestId);
    const { config } = current.snapshot();
    const fallBack = (): void => {
      toMonolith(req, res, received, planned);
      next();
    };
    if (upstream === config.default) {
      if (maxBody !== null && received.hasBody) capBody(req, res, maxBody, requestId);
      return fallBack();
    }
    if (received.hasBody && isEaten(req)) return next(new MisplacedError(eaten(received)));
    // For a request of HTTP/1.0 that names no host.
    const [origin] = config.upstreams[upstream]!.urls ?? [];
    const defaultHost = origin === undefined ? upstream : new URL(origin).host;
    const headers = received.outgoing(planned, defaultHost);
    new Carry(services, { req, res, received, route: planned, headers, fallBack }).start();
  }

  return Object.assign(
    (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void => {
      let isHandedOver = false;
      const handOver = (error?: unknown): void => {
        isHandedOver = true;
        next(error);
      };
      try {
        handle(req, res, handOver);
      } catch (error) {
        // What the application throws is its own, and must not come back to it as ours.
        if (isHandedOver) throw error;
        next(error);
      }
    },
    {
      reload: current.refresh,
      close() {
        watching.close();
        discovery.close();
        services.close();
      },
    },
  );
}

function load(config: string, stateDir: string, env: NonNullable<StrangleOptions['env']>): Current {
  try {
    return loadCurrent(config, stateDir, env);
  } catch (error) {
    if (!(error instanceof StartFaults)) throw error;
    const lines = error.files.flatMap(({ file, faults }) => faults.map((fault) => faultLine(file, fault)));
    throw new Error(`the configuration is wrong:\n${lines.join('\n')}`, { cause: error });
  }
}

/** Where the next request begins is not sure behind a faulty one. */
const CLOSE = [['Connection', 'close']] as const;

/** Why the handler can't do its work at this place of the application; null when it can. */
function misplacement(req: IncomingMessage & { originalUrl?: string }): string | null {
  if (req.httpVersionMajor !== 1)
    return 'strangle() speaks HTTP/1.1; let the proxy that speaks HTTP/2 with clients use 1.1 behind it';
  if (req.originalUrl === undefined || req.originalUrl === req.url) return null;
  return (
    `the URL was rewritten before strangle() saw it (${req.originalUrl} became ${req.url}); routes are whole paths, ` +
    'so mount it at the root, app.use(strangle(…)), and before anything that rewrites'
  );
}

function eaten({ view }: Received): string {
  return (
    `the body of ${view.method} ${view.path} was read before strangle() could forward it; ` +
    'mount strangle() before body parsers (express.json(), express.urlencoded(), multer, …)'
  );
}

/** The test for trusted proxies, made anew when the list changes. */
function trustOf(current: Current): () => (address: string) => boolean {
  let list: readonly string[] = [];
  let isIn = networks(list);
  return () => {
    const { proxies } = current.snapshot().config.trust;
    if (proxies !== list) isIn = networks((list = proxies));
    return isIn;
  };
}

/** Follows both files and the kills, and says in the log when a file is rejected. */
function watch(current: Current, log: NonNullable<StrangleOptions['log']>): { close(): void } {
  let last = '';
  const report = (): void => {
    const files = Object.values(current.status());
    const now = JSON.stringify(files.map(({ faults }) => faults));
    if (now === last) return;
    last = now;
    for (const { file, state, faults } of files)
      if (state === 'rejected') log.warn({ file, faults }, 'rejected; what was in force goes on');
  };
  const reporting = setInterval(report, 500);
  const watching = current.watch();
  return {
    close() {
      clearInterval(reporting);
      watching.close();
    },
  };
}
