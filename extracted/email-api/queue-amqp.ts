import { setTimeout as wait } from 'node:timers/promises';
import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { openLink, publishOn } from './amqp-link.ts';
import { attemptOf, headersOf, parse } from './amqp-message.ts';
import { declare, waitQueue } from './amqp-topology.ts';
import { DEAD, MAIL, verdictOf, type Handle, type Queue, type Verdict } from './queue.ts';
import { createSlots } from './slots.ts';

export interface AmqpQueueOptions {
  readonly url: string;
  readonly log: { warn(fields: object, text: string): void; info(fields: object, text: string): void };
  readonly concurrency: number;
  /** Seconds of all pauses there are between two attempts. Other pauses are rounded up to the next of them. */
  readonly retrySeconds: readonly number[];
}

/**
 * The queue at a RabbitMQ broker. A message is acknowledged when its verdict is safe: done, or confirmed in the queue where it waits or is dead. So none is lost, and one
 * may come twice, when we or the broker go away in between.
 */
export function openAmqpQueue({ url, log, concurrency, retrySeconds }: AmqpQueueOptions): Queue {
  // A job that is given back may wait a second.
  const waits = [...new Set([1, ...retrySeconds])].toSorted((left, right) => left - right);
  const slots = createSlots(concurrency, (error) =>
    log.warn({ err: error }, 'a verdict could not be written down; the job comes back by itself'),
  );
  let handler: Handle | null = null;
  let isPaused = false;
  let isStopping = false;
  /** What takes jobs now, if anything does. */
  let consuming: { readonly channel: ConfirmChannel; readonly tag: string } | null = null;
  /** One change of it after the other. */
  let changing: Promise<void> = Promise.resolve();

  async function setUp(channel: ConfirmChannel): Promise<void> {
    await declare(channel, waits);
    await channel.prefetch(concurrency);
    consuming = null;
    await adjust(channel);
  }
  const link = openLink({ url, log, setUp });

  /** Consumes, or stops to, as is wanted now. */
  async function adjust(channel: ConfirmChannel): Promise<void> {
    const isWanted = handler !== null && !isPaused && !isStopping;
    if (isWanted && !consuming) {
      const { consumerTag } = await channel.consume(MAIL, (message) => deliver(channel, message));
      consuming = { channel, tag: consumerTag };
    } else if (!isWanted && consuming) {
      const { tag } = consuming;
      consuming = null;
      await channel.cancel(tag);
    }
  }
  const change = (): Promise<void> => {
    changing = changing.then(async () => {
      const channel = link.channel();
      // Without a channel, the next one is set up as is wanted then; a channel that fails here ends, and so does its connection.
      if (channel) await adjust(channel).catch(() => undefined);
    });
    return changing;
  };

  function deliver(channel: ConfirmChannel, message: ConsumeMessage | null): void {
    // The broker took the queue from us: with a new connection it is declared anew.
    if (message === null) return void channel.close().catch(() => undefined);
    slots.run(async () => {
      const { content, properties } = message;
      const name = String(properties.messageId ?? message.fields.deliveryTag);
      const attempt = attemptOf(properties.headers);
      const verdict = await verdictOf(handler!, { name, body: parse(content), attempt });
      try {
        await settle(channel, message, verdict, attempt);
      } catch (error) {
        // With its channel gone it is delivered again by itself; with the channel there, the broker did not take it where it was to go.
        await wait(1000);
        if (link.channel() === channel) channel.nack(message, false, true);
        throw error;
      }
    });
  }

  async function settle(
    channel: ConfirmChannel,
    message: ConsumeMessage,
    verdict: Verdict,
    attempt: number,
  ): Promise<void> {
    const { content, properties } = message;
    const pass = (queue: string, headers: Record<string, unknown>): Promise<void> =>
      publishOn(channel, queue, content, {
        ...(typeof properties.messageId === 'string' && { messageId: properties.messageId }),
        headers,
      });
    if (verdict.type === 'retry')
      await pass(waitFor(verdict.after), headersOf({ attempts: attempt, why: verdict.why }));
    if (verdict.type === 'release')
      await pass(verdict.after > 0 ? waitFor(verdict.after) : MAIL, headersOf({ attempts: attempt - 1 }));
    if (verdict.type === 'dead')
      await pass(DEAD, headersOf({ attempts: attempt, why: verdict.why, at: new Date() }));
    // Throws when its channel is gone: then the message is delivered again.
    channel.ack(message);
  }
  const waitFor = (seconds: number): string =>
    waitQueue(waits.find((each) => each >= seconds) ?? waits.at(-1)!);

  return {
    start(handle) {
      handler = handle;
      void change();
    },
    pause() {
      isPaused = true;
      void change();
    },
    resume() {
      isPaused = false;
      void change();
    },
    isUp: () => link.channel() !== null,
    async depth() {
      const channel = link.channel();
      if (!channel) throw new Error('there is no connection to the broker');
      const counts = await Promise.all(
        [DEAD, MAIL, ...waits.map(waitQueue)].map((name) => channel.checkQueue(name)),
      );
      const [dead, ...waiting] = counts.map(({ messageCount }) => messageCount);
      return { waiting: waiting.reduce((sum, count) => sum + count, 0), dead: dead!, oldestSeconds: null };
    },
    async stop() {
      isStopping = true;
      await change();
      await slots.empty();
      await link.close();
    },
  };
}
