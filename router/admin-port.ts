import { createServer, type RequestListener } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

export interface AdminPort {
  readonly url: string;
  /** Answers what comes, and what has come already. */
  serve(listener: RequestListener): void;
  /** Closes it at once. */
  close(): void;
}

export interface AdminPortOptions {
  readonly host: string;
  readonly port: number;
  /** Whether a router has the port that we follow: then it is waited for. */
  readonly mayWait: () => boolean;
  /** Told once that it is. */
  readonly waits: () => void;
  /** The longest wait, in milliseconds. */
  readonly deadline: number;
  /** Gives up waiting. */
  readonly cancel?: AbortSignal | undefined;
}

/** How often a port that is taken is tried again, in milliseconds. */
const AGAIN = 50;

/** Opens the admin port. Rejects with what `listen` says, with EADDRINUSE only after the wait; and with the reason of `cancel`. */
export async function openAdminPort(options: AdminPortOptions): Promise<AdminPort> {
  const { host, port } = options;
  const serving = Promise.withResolvers<RequestListener>();
  const server = createServer(
    (request, response) => void serving.promise.then((listener) => listener(request, response)),
  );
  const end = performance.now() + options.deadline;
  for (let attempt = 1; ; attempt++) {
    try {
      await new Promise<void>((done, fail) => {
        server.once('error', fail);
        server.listen(port, host, () => {
          server.removeListener('error', fail);
          done();
        });
      });
      break;
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      const isWaiting = attempt > 1 || options.mayWait();
      if (!isTaken || !isWaiting || performance.now() > end) throw error;
      if (attempt === 1) options.waits();
      await wait(AGAIN);
      options.cancel?.throwIfAborted();
    }
  }
  const address = server.address();
  const bound = typeof address === 'object' && address ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    serve: serving.resolve,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
