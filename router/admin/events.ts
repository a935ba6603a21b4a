import type { Request, RequestHandler, Response } from 'express';
import { Problem } from '../errors.ts';
import type { Snapshot } from '../flags/snapshot.ts';
import type { LiveJson } from './protocol.ts';

export interface EventLimits {
  /** Milliseconds between two `live` events. Default 1000. */
  readonly interval: number;
  /** Listeners at once; a further one is answered 503. Default 64. */
  readonly listeners: number;
  /** Bytes of earlier events that may wait for a slow reader; with more it is cut off. Default 256 KiB. */
  readonly buffer: number;
}

export const DEFAULT_EVENTS: EventLimits = { interval: 1000, listeners: 64, buffer: 262_144 };

export interface EventParts {
  readonly live: () => LiveJson;
  readonly onSwap: (listener: (before: Snapshot, after: Snapshot) => void) => void;
  /** Whether what let the listener in still holds; asked with every event. */
  readonly isStillOpen: (request: Request) => boolean;
  readonly log: { error(fields: object, message: string): void };
}

/**
 * `GET /api/events` (https://html.spec.whatwg.org/multipage/server-sent-events.html): `live` with the numbers at once and every second, `change` with
 * `{ version, features }` whenever a new snapshot serves. Nothing is kept for a listener that was away: `live` is whole each time, and what changed is
 * in the journal. Nothing runs while nobody listens.
 */
export function createEvents(
  { live, onSwap, isStillOpen, log }: EventParts,
  limits: EventLimits = DEFAULT_EVENTS,
): { readonly listen: RequestHandler; listeners(): number } {
  const listeners = new Map<Response, Request>();
  let timer: NodeJS.Timeout | undefined;

  const forget = (response: Response): void => {
    listeners.delete(response);
    if (listeners.size === 0) clearInterval(timer);
  };
  const send = (response: Response, text: string): void => {
    if (response.writableLength <= limits.buffer) return void response.write(text);
    // Destroyed, not ended: an end would wait behind what is not being read.
    forget(response);
    response.destroy();
  };
  const broadcast = (text: string): void => {
    for (const response of listeners.keys()) send(response, text);
  };
  const tick = (): void => {
    for (const [response, request] of listeners) {
      if (isStillOpen(request)) continue;
      forget(response);
      response.end();
    }
    try {
      broadcast(event('live', live()));
    } catch (error) {
      // Thrown in a timer, it would end the process that carries the traffic.
      log.error({ err: error }, 'the live numbers could not be made');
      broadcast(': there are no numbers at the moment\n\n');
    }
  };
  onSwap((_before, after) =>
    broadcast(event('change', { version: after.version, features: [...after.features.keys()] })),
  );

  return {
    listeners: () => listeners.size,
    listen(request, response) {
      if (listeners.size >= limits.listeners) {
        response.set('retry-after', '5');
        throw new Problem('TOO_MANY_LISTENERS', `at most ${limits.listeners} listen to events at once`);
      }
      response.on('close', () => forget(response));
      response.status(200).set({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
      response.flushHeaders();
      listeners.set(response, request);
      if (listeners.size === 1) timer = setInterval(tick, limits.interval);
      send(response, event('live', live()));
    },
  };
}

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
