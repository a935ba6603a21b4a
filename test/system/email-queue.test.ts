import assert from 'node:assert/strict';
import { connect } from 'amqplib';
import { openAmqpDeadBox } from '../../extracted/email-api/dead-box-amqp.ts';
import { declare } from '../../extracted/email-api/amqp-topology.ts';
import { openAmqpQueue } from '../../extracted/email-api/queue-amqp.ts';
import type { Job, Queue } from '../../extracted/email-api/queue.ts';
import { queueContract } from '../support/queue-contract.ts';
import { queueDeaths } from '../support/queue-deaths.ts';
import type { QueueUnderTest } from '../support/queue-under-test.ts';
import { startBroker, type Broker } from '../support/rabbitmq.ts';
import { until } from '../support/until.ts';

const log = { warn: () => undefined, info: () => undefined };
const RETRY_SECONDS = [1, 2];

describe('the queue at a broker', function () {
  this.timeout(120_000);
  let broker: Broker;
  before(async () => {
    broker = await startBroker();
  });
  after(() => broker?.stop());

  const openQueue = (concurrency = 5): Queue =>
    openAmqpQueue({ url: broker.url, log, concurrency, retrySeconds: RETRY_SECONDS });

  async function withChannel<T>(
    use: (
      channel: Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createConfirmChannel']>>,
    ) => Promise<T>,
  ): Promise<T> {
    const connection = await connect(broker.url);
    connection.on('error', () => undefined);
    try {
      return await use(await connection.createConfirmChannel());
    } finally {
      await connection.close().catch(() => undefined);
    }
  }
  const isDeclared = (): Promise<boolean> =>
    withChannel(async (channel) => {
      await declare(channel, RETRY_SECONDS);
      return true;
    });
  const sendRaw = async (...contents: (string | object)[]): Promise<void> => {
    await until(() => isDeclared().catch(() => false), 'the queues to be there', 30_000);
    await withChannel(async (channel) => {
      for (const content of contents) {
        const text = typeof content === 'string' ? content : JSON.stringify(content);
        const { id } = content as { id?: string };
        channel.sendToQueue('mail', Buffer.from(text), { persistent: true, ...(id && { messageId: id }) });
      }
      await channel.waitForConfirms();
    });
  };
  const purge = (): Promise<boolean> =>
    withChannel(async (channel) => {
      await declare(channel, RETRY_SECONDS);
      for (const name of ['mail', 'mail-dead', 'mail-wait-1', 'mail-wait-2']) await channel.purgeQueue(name);
      return true;
    });
  // A broker that has just been started answers INTERNAL_ERROR for a queue that has no leader yet.
  const empty = (): Promise<void> =>
    until(() => purge().catch(() => false), 'the queues to be empty', 30_000);

  async function openSetting(): Promise<QueueUnderTest> {
    await empty();
    return {
      open: openQueue,
      send: sendRaw,
      openBox: () => openAmqpDeadBox(broker.url),
      async exhaust() {
        for (let round = 0; round < 20; round++)
          await withChannel(async (channel) => {
            let isTaken = false;
            await until(async () => (isTaken ||= (await channel.get('mail')) !== false), 'the message');
          });
      },
      async sever() {
        await broker.halt();
        await broker.start();
      },
      env: { AMQP_URL: broker.url },
      close: empty,
    };
  }
  describe('as every driver', () => {
    queueContract(openSetting);
    queueDeaths(openSetting);
  });

  // Last, and long after the queues were made: a RabbitMQ 3.10 that is killed within seconds after that may find one of them without a leader for ever.
  describe('of its own kind', () => {
    it('hands over what is not JSON as the text it is', async () => {
      await empty();
      await sendRaw('{"id": ');
      const seen: Job[] = [];
      const queue = openQueue();
      queue.start(async (job) => {
        seen.push(job);
        return { type: 'done' };
      });
      await until(() => seen.length === 1, 'the job');
      await queue.stop();
      assert.equal(seen[0]!.body, '{"id": ');
    });

    it('shows copies of a dead letter as one, and replays one of them', async () => {
      await empty();
      await withChannel(async (channel) => {
        for (const id of ['<1@test>', '<2@test>', '<1@test>'])
          channel.sendToQueue('mail-dead', Buffer.from(JSON.stringify({ id })), { messageId: id });
        await channel.waitForConfirms();
      });
      const box = await openAmqpDeadBox(broker.url);
      const listed = async (): Promise<string[]> => (await box.list(10)).map(({ id }) => id);
      assert.deepEqual(await listed(), ['<1@test>', '<2@test>']);
      assert.equal(await box.replay({ id: '<1@test>' }), 1);
      assert.deepEqual(await listed(), ['<2@test>']);
      await box.close();
      assert.equal(await withChannel(async (channel) => (await channel.checkQueue('mail')).messageCount), 1);
    });

    it('starts before the broker, and outlives one that is killed', async () => {
      await empty();
      await sendRaw(...[1, 2, 3].map((number) => ({ id: `<${number}@test>` })));
      await broker.kill();
      const seen: string[] = [];
      const queue = openQueue();
      queue.start(async ({ name }) => {
        seen.push(name);
        return { type: 'done' };
      });
      assert.equal(queue.isUp(), false);
      await assert.rejects(queue.depth());
      await broker.start();
      await until(() => seen.length >= 3, 'all', 30_000);
      await broker.kill();
      await until(() => !queue.isUp(), 'the end to be noticed', 20_000);
      await broker.start();
      await sendRaw({ id: '<4@test>' });
      await until(() => seen.includes('<4@test>'), 'the new one', 30_000);
      await until(async () => (await queue.depth()).waiting === 0, 'the queue to be empty');
      await queue.stop();
    });
  });
});
