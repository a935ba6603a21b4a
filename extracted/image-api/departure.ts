import type { Response } from 'express';

/** Aborted when the client goes away. */
export function departure(response: Response): AbortSignal {
  if (response.destroyed) return AbortSignal.abort();
  const controller = new AbortController();
  // Who has the answer went nowhere, and what the signal would carry, an error with its stack, costs more than the rest of this.
  response.on('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
