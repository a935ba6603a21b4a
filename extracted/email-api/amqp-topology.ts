import type { Channel } from 'amqplib';
import { DEAD, DELIVERY_LIMIT, MAIL } from './queue.ts';

/** Replicated, and written to disk before the broker confirms; a message is passed on to the next queue before it leaves the one it is in. */
const SAFE = { 'x-queue-type': 'quorum' };
const passedOn = (to: string): Record<string, unknown> => ({
  ...SAFE,
  'x-dead-letter-exchange': '',
  'x-dead-letter-routing-key': to,
  'x-dead-letter-strategy': 'at-least-once',
  // What at-least-once asks for.
  'x-overflow': 'reject-publish',
});

/** Name of the queue that a job waits in before it comes back. */
export const waitQueue = (seconds: number): string => `${MAIL}-wait-${seconds}`;

/**
 * Declares what the consumer needs. The shop declares `mail` and `mail-dead` in the same words, whoever is first; the broker refuses other words. Waiting queues are
 * ours: one a length, as messages of different lengths in one queue would wait for the longest at its head.
 */
export async function declare(channel: Channel, waits: readonly number[]): Promise<void> {
  await channel.assertQueue(DEAD, { durable: true, arguments: SAFE });
  await channel.assertQueue(MAIL, {
    durable: true,
    arguments: { ...passedOn(DEAD), 'x-delivery-limit': DELIVERY_LIMIT },
  });
  for (const seconds of new Set(waits))
    await channel.assertQueue(waitQueue(seconds), {
      durable: true,
      arguments: { ...passedOn(MAIL), 'x-message-ttl': seconds * 1000 },
    });
}
