import { faultLine } from '@strangler-kit/router/config/fault.ts';
import { StartFaults } from '@strangler-kit/router/flags/current.ts';
import { serve } from '@strangler-kit/router/serve.ts';
import { Failure } from '../output.ts';

/** Serves until SIGTERM or SIGINT, then drains and exits 0; a second signal does not wait. SIGHUP reloads. */
export async function serveCommand(options: { readonly config: string }): Promise<void> {
  const serving = await serve({ config: options.config, env: process.env }).catch((error: unknown) => {
    if (error instanceof StartFaults) {
      throw new Failure(
        2,
        error.files.flatMap(({ file, faults }) => faults.map((fault) => faultLine(file, fault))),
      );
    }
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL')
      throw new Failure(2, [`can't listen: ${message}`]);
    if (code === 'ENOENT' || code?.startsWith('ERR_OSSL') || code?.startsWith('ERR_CRYPTO'))
      throw new Failure(2, [`tls: the key and the certificate can't be used: ${message}`]);
    throw error;
  });
  process.on('SIGHUP', serving.reload);
  let isEnding = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isEnding) process.exit(1);
      isEnding = true;
      void serving.drain().then(() => process.exit(0));
    });
  }
}
