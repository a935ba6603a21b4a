import { connect, type ChannelModel, type ConfirmChannel, type Message } from 'amqplib';
import type { Waiting } from './outbox.ts';
import { DEAD_LETTERS, MAIL_QUEUE } from './queue.ts';

/** How often the broker may hand a job to somebody who dies of it, before it is a dead letter. */
const DELIVERIES = 20;

/** Queues as the email-api declares them too: on several machines (quorum), durable, and nothing is dropped on the way to the dead letters. */
export const QUEUES = {
  [DEAD_LETTERS]: { 'x-queue-type': 'quorum' },
  [MAIL_QUEUE]: {
    'x-queue-type': 'quorum',
    'x-delivery-limit': DELIVERIES,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': DEAD_LETTERS,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  },
} as const;

export interface Broker {
  /** Resolves when there is a connection and the queues are declared. Rejects when that can't be had now: ask again. */
  connect(): Promise<void>;
  /** Publishes, and answers the positions of the jobs the broker has confirmed to keep; any of the others may be there too. Rejects when the broker says nothing for too long. */
  publish(jobs: readonly Waiting[]): Promise<string[]>;
  isConnected(): boolean;
  /** Gives the connection up; the next `connect` makes another. */
  drop(): Promise<void>;
}

export interface BrokerOptions {
  readonly url: string;
  /** Milliseconds for connecting, and for the confirmations of one batch. Default 10 s. */
  readonly timeout?: number;
}

/** A connection to RabbitMQ that publishes with confirms. It does not come back by itself: who uses it knows when to try again. */
export function openBroker({ url, timeout = 10_000 }: BrokerOptions): Broker {
  let connection: ChannelModel | null = null;
  let channel: ConfirmChannel | null = null;
  /** Message-IDs that had no queue to go to, since the batch began. */
  const returned = new Set<string>();

  async function open(): Promise<void> {
    await drop();
    const opened = await connect(withHeartbeat(url), { timeout });
    connection = opened;
    // What breaks shows in `publish`, and by `channel` being gone; unheard, it would end the process.
    opened.on('error', () => undefined);
    opened.on('close', () => {
      if (connection === opened) connection = channel = null;
    });
    const made = await opened.createConfirmChannel();
    made.on('error', () => undefined);
    made.on('close', () => {
      if (channel === made) channel = null;
    });
    made.on('return', ({ properties }: Message) => returned.add(String(properties.messageId)));
    for (const [name, args] of Object.entries(QUEUES))
      await made.assertQueue(name, { durable: true, arguments: args });
    channel = made;
  }
  async function drop(): Promise<void> {
    const old = connection;
    connection = channel = null;
    // A broker that is stalled does not answer to a goodbye either.
    await Promise.race([old?.close().catch(() => undefined), after(1000)]);
  }
  return {
    async connect() {
      if (!channel) await within(timeout, open(), 'connecting took');
    },
    async publish(jobs) {
      const open = channel;
      if (!open) throw new Error('there is no connection to the broker');
      returned.clear();
      const confirmed = Promise.all(
        jobs.map(async ({ position, job }) => ((await publishOne(open, job)) ? position : null)),
      );
      const positions = await within(timeout, confirmed, 'the confirmations took');
      // Confirmed is also what had no queue to go to; the broker sends it back first.
      const done = jobs.filter(({ position, job }) => positions.includes(position) && !returned.has(job.id));
      // Somebody deleted the queue: the next connection declares it.
      if (returned.size > 0) await drop();
      return done.map(({ position }) => position);
    },
    isConnected: () => channel !== null,
    drop,
  };
}

/** False when the broker refuses to keep it, or the channel closes before it has said so. */
function publishOne(channel: ConfirmChannel, job: Waiting['job']): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { persistent: true, mandatory: true, messageId: job.id, contentType: 'application/json' };
    try {
      channel.publish('', MAIL_QUEUE, Buffer.from(JSON.stringify(job)), options, (error: Error | null) =>
        resolve(error === null),
      );
    } catch {
      resolve(false);
    }
  });
}

/** Without heartbeats a broker that is cut off looks like one that has nothing to say. Seconds. */
function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', '5');
  return parsed.href;
}

const after = (milliseconds: number): Promise<void> =>
  new Promise((done) => setTimeout(done, milliseconds).unref());

async function within<T>(milliseconds: number, work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} more than ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    // Whichever loses the race must not end the process.
    work.catch(() => undefined);
  }
}
