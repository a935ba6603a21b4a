import { setTimeout as wait } from 'node:timers/promises';
import { connect, type ChannelModel, type ConfirmChannel, type Options } from 'amqplib';

export interface LinkOptions {
  readonly url: string;
  readonly log: { warn(fields: object, text: string): void; info(fields: object, text: string): void };
  /** Prepares each new channel: topology, prefetch, consumers. One that fails is tried again with the next connection. */
  readonly setUp: (channel: ConfirmChannel) => Promise<void>;
  /** Seconds without a sign of life from the broker, after which the connection is given up at twice that. Default 5. */
  readonly heartbeat?: number;
  /** 0 to 1. */
  readonly random?: () => number;
}

/** A channel to a broker that may come and go. */
export interface Link {
  /** Null while there is none. */
  channel(): ConfirmChannel | null;
  /** Ends the connection in order, so that what was said last is heard. */
  close(): Promise<void>;
}

/** Milliseconds between two attempts to connect, at first and at most; and for one attempt, the greeting included. */
const PAUSE = { least: 100, most: 5000 };
const CONNECT_WITHIN = 5000;

/** Keeps one connection with one channel, for ever: a broker that is gone is looked for until it is back, at intervals that grow and that chance spreads. */
export function openLink({ url, log, setUp, heartbeat = 5, random = Math.random }: LinkOptions): Link {
  const stopped = new AbortController();
  let current: { readonly connection: ChannelModel; readonly channel: ConfirmChannel } | null = null;

  async function open(): Promise<{ ended: Promise<string> }> {
    const address = new URL(url);
    if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(heartbeat));
    const connection = await connect(address.href, { timeout: CONNECT_WITHIN, keepAlive: true });
    let why = 'it was closed';
    connection.on('error', (error) => void (why = error.message));
    const ended = new Promise<string>((over) => connection.on('close', () => over(why)));
    try {
      const channel = await connection.createConfirmChannel();
      channel.on('error', (error) => void (why = error.message));
      // A channel does not end alone for long: a fault of one is a fault of what we know of the broker.
      channel.on('close', () => void connection.close().catch(() => undefined));
      refuseReturned(channel);
      await setUp(channel);
      current = { connection, channel };
    } catch (error) {
      connection.close().catch(() => undefined);
      throw error;
    }
    void ended.then(() => (current = null));
    // The end may have been asked for meanwhile, when there was nothing to close.
    if (stopped.signal.aborted) await connection.close();
    return { ended };
  }
  const run = (async (): Promise<void> => {
    for (let failures = 0; !stopped.signal.aborted; failures += 1) {
      try {
        const { ended } = await open();
        log.info({}, 'the broker is there');
        failures = 0;
        const why = await ended;
        if (!stopped.signal.aborted)
          log.warn({ why }, 'the connection to the broker ended; a new one is made');
      } catch (error) {
        if (failures === 0) log.warn({ err: error }, 'the broker can not be reached; it is tried again');
      }
      const pause = Math.min(PAUSE.least * 2 ** failures, PAUSE.most) * (0.5 + random() / 2);
      await wait(pause, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  })();

  return {
    channel: () => current?.channel ?? null,
    async close() {
      stopped.abort();
      const { connection, channel } = current ?? {};
      await channel?.close().catch(() => undefined);
      await connection?.close().catch(() => undefined);
      await run;
    },
  };
}

/** Milliseconds that the broker has to confirm a message. A queue without a leader takes it, and never says so. */
const CONFIRM_WITHIN = 10_000;

/** Rejections of messages that no queue took, by the number they were given. */
const returned = new WeakMap<ConfirmChannel, Map<string, (error: Error) => void>>();
let lastNumber = 0;

/** The broker confirms a message that no queue takes, after it sent it back. */
export function refuseReturned(channel: ConfirmChannel): void {
  const waiting = new Map<string, (error: Error) => void>();
  returned.set(channel, waiting);
  channel.on('return', ({ fields, properties }) =>
    waiting.get(String(properties.correlationId))?.(new Error(`there is no queue ${fields.routingKey}`)),
  );
}

/** Resolves when the broker has the message on disk, in the queue that is named. Rejects when that is not certain. The channel must have been given to `refuseReturned`. */
export async function publishOn(
  channel: ConfirmChannel,
  queue: string,
  content: Buffer,
  options: Options.Publish,
): Promise<void> {
  const correlationId = String(++lastNumber);
  const waiting = returned.get(channel)!;
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((done, fail) => {
      waiting.set(correlationId, fail);
      const late = (): void => fail(new Error(`the broker did not confirm a message for ${queue} in time`));
      timer = setTimeout(late, CONFIRM_WITHIN);
      const all = { ...options, persistent: true, mandatory: true, correlationId };
      channel.publish('', queue, content, all, (error: unknown) =>
        error ? fail(new Error(`the broker did not take a message for ${queue}`, { cause: error })) : done(),
      );
    });
  } finally {
    clearTimeout(timer);
    waiting.delete(correlationId);
  }
}
