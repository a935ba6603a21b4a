import { faultLine } from '@strangler-kit/router/config/fault.ts';
import { StartFaults } from '@strangler-kit/router/flags/current.ts';
import { serve } from '@strangler-kit/router/serve.ts';
import type { Serving } from '@strangler-kit/router/serving.ts';
import { Failure } from '../output.ts';

/**
 * Serves until SIGTERM or SIGINT, then drains and exits 0; a second signal does not wait. SIGHUP reloads. SIGUSR2 replaces what serves by new
 * processes, with the port open all the time.
 */
export async function serveCommand(options: { readonly config: string }): Promise<void> {
  const starting = new AbortController();
  let serving: Serving | null = null;
  const end = (): void => {
    if (starting.signal.aborted) process.exit(1);
    starting.abort();
    void serving?.drain().then(() => process.exit(0));
  };
  process.on('SIGHUP', () => serving?.reload());
  process.on('SIGUSR2', () => void serving?.replace());
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end);
  try {
    serving = await serve({ config: options.config, env: process.env, cancel: starting.signal });
  } catch (error) {
    if (starting.signal.aborted) process.exit(0);
    throw told(error);
  }
  if (!starting.signal.aborted) return;
  await serving.drain();
  process.exit(0);
}

/** What to tell about a start that failed. */
function told(error: unknown): unknown {
  if (error instanceof StartFaults) {
    return new Failure(
      2,
      error.files.flatMap(({ file, faults }) => faults.map((fault) => faultLine(file, fault))),
    );
  }
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL')
    return new Failure(2, [`can't listen: ${message}`]);
  if (code === 'ENOENT' || code?.startsWith('ERR_OSSL') || code?.startsWith('ERR_CRYPTO'))
    return new Failure(2, [`tls: the key and the certificate can't be used: ${message}`]);
  return error;
}
