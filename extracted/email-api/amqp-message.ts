import { DELIVERY_LIMIT } from './queue.ts';

/** What we note at a message that is passed on. */
export interface Notes {
  /** How often it was taken so far. */
  readonly attempts: number;
  /** Why it was passed on; kept short, as headers are. */
  readonly why?: string;
  readonly at?: Date;
}

type Headers = Readonly<Record<string, unknown>> | undefined;

/** Characters of an error that a message carries. */
const SHOWN = 1000;

export function headersOf({ attempts, why, at }: Notes): Record<string, unknown> {
  return {
    'x-attempts': attempts,
    ...(why !== undefined && { 'x-error': why.slice(0, SHOWN) }),
    ...(at && { 'x-died-at': at.toISOString() }),
  };
}

/** Which attempt this delivery is: those we noted, those the broker counted since as we did not answer, and this one. */
export function attemptOf(headers: Headers): number {
  return countIn(headers, 'x-attempts') + countIn(headers, 'x-delivery-count') + 1;
}

/** What is known of a dead letter. Without a note of ours it is the broker that gave the message up. */
export function notesOf(headers: Headers): { error: string; attempts: number; at: Date | null } {
  const { 'x-error': error, 'x-died-at': at, 'x-death': deaths } = headers ?? {};
  if (typeof at === 'string')
    return { error: String(error ?? 'unknown'), attempts: countIn(headers, 'x-attempts'), at: new Date(at) };
  const [death] = Array.isArray(deaths)
    ? (deaths as { reason?: unknown; time?: { value?: unknown } }[]).filter(
        ({ reason }) => reason !== 'expired',
      )
    : [];
  const seconds = death?.time?.value;
  const isLimit = death?.reason === 'delivery_limit';
  return {
    error: isLimit
      ? 'it was taken again and again, and each time the process ended (delivery limit)'
      : `the broker gave it up: ${String(death?.reason ?? 'unknown')}`,
    // The broker's own count does not come along.
    attempts: countIn(headers, 'x-attempts') + (isLimit ? DELIVERY_LIMIT + 1 : 0),
    at: typeof seconds === 'number' ? new Date(seconds * 1000) : null,
  };
}

/** Parsed; the text itself where it is not JSON. */
export function parse(content: Buffer): unknown {
  const text = content.toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function countIn(headers: Headers, name: string): number {
  const value = headers?.[name];
  return typeof value === 'number' && value > 0 ? value : 0;
}
