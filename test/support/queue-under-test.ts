import assert from 'node:assert/strict';
import type { DeadBox } from '../../extracted/email-api/dead-box.ts';
import type { Handle, Job, Queue } from '../../extracted/email-api/queue.ts';
import { until } from './until.ts';

/** A queue of its own for each test, at one driver. */
export interface QueueUnderTest {
  /** A consumer; `start` is the test's. */
  open(concurrency?: number): Queue;
  /** As the shop does. */
  send(...bodies: object[]): Promise<void>;
  openBox(): Promise<DeadBox>;
  /** Lets the one job in the queue have been taken, without a verdict, as often as the queue allows but once. */
  exhaust(): Promise<void>;
  /** Breaks every connection of the consumers, from the other side. */
  sever(): Promise<void>;
  /** Environment by which a consumer of its own process finds the queue. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** What tests of a queue have in common. */
export interface QueueTests {
  setting(): QueueUnderTest;
  /** Jobs that were handed to a handler of `run`, in order. */
  readonly seen: Job[];
  open(concurrency?: number): Queue;
  /** A consumer that runs. */
  run(handle: Handle, concurrency?: number): Queue;
  job(number: number): object;
  numberOf(job: Job): number;
  /** Of the seen ones, in order. */
  numbers(): number[];
  isEmpty(queue: Queue): Promise<void>;
}

/** A new queue before each test of a suite; after it, all its consumers end. */
export function useQueue(openSetting: () => Promise<QueueUnderTest>): QueueTests {
  let setting: QueueUnderTest | undefined;
  const queues: Queue[] = [];
  const seen: Job[] = [];
  beforeEach(async () => {
    seen.length = 0;
    setting = await openSetting();
  });
  afterEach(async () => {
    await Promise.all(queues.splice(0).map((queue) => queue.stop()));
    await setting?.close();
  });
  const open = (concurrency?: number): Queue => {
    assert.ok(setting);
    const queue = setting.open(concurrency);
    queues.push(queue);
    return queue;
  };
  const numberOf = ({ body }: Job): number => (body as { number: number }).number;
  return {
    setting: () => setting!,
    seen,
    open,
    run(handle, concurrency) {
      const queue = open(concurrency);
      queue.start((job) => {
        seen.push(job);
        return handle(job);
      });
      return queue;
    },
    job: (number) => ({ id: `<${number}@test>`, number }),
    numberOf,
    numbers: () => seen.map(numberOf).toSorted((left, right) => left - right),
    isEmpty: (queue) =>
      until(async () => {
        const { waiting, dead } = await queue.depth();
        return waiting + dead === 0;
      }, 'the queue to be empty'),
  };
}
