import type { Response } from 'express';

/** Aborted when the client goes away. */
export function departure(response: Response): AbortSignal {
  if (response.destroyed) return AbortSignal.abort();
  const controller = new AbortController();
  response.on('close', () => controller.abort());
  return controller.signal;
}
