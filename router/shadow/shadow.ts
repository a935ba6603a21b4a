import type { Metric } from '../metrics/traffic.ts';
import type { Result } from './compare/compare.ts';
import { createComparing } from './comparing.ts';
import { Memory } from './copy.ts';
import { createCounters } from './counters.ts';
import { judge, type JudgeParts } from './judge.ts';
import { createNoise, type Noise } from './noise.ts';
import { DEFAULT_SHADOW_LIMITS, type Dropped, type Shadowed, type ShadowLimits } from './options.ts';
import { createParity, type Parity } from './parity.ts';
import { createPictureStore, type PictureStore } from './pictures.ts';
import { createRest, type Rest } from './rest.ts';
import { Sample, type SampleOwner } from './sample.ts';
import { createSender, type Reply } from './sender.ts';

export interface ShadowOptions {
  /** Folder for the pictures of mismatches. */
  readonly folder: string;
  /** Origins of an upstream that may be asked now. */
  readonly urls: (upstream: string) => readonly string[];
  /** Told of every comparison. */
  readonly onResult?: (feature: string, result: Result) => void;
  readonly log: { warn(fields: object, message: string): void };
  readonly limits?: Partial<ShadowLimits>;
  /** In [0, 1): for sampling. */
  readonly random?: () => number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Drops that say nothing about the shadow. */
const OURS: readonly Dropped[] = ['full', 'memory', 'aborted', 'failed'];

/** What has been learned of a route. */
interface Known {
  readonly noise: Noise;
  readonly rest: Rest;
}

/** A shadow request under way. */
interface Asked {
  readonly upstream: string;
  readonly reply: Promise<Reply>;
  readonly abort: AbortController;
}

/** What of a tap the data path calls (forward/plan.ts). */
export interface ShadowTap {
  watch(method: string): Sample | null;
}

export interface Shadow {
  /** Looks on at the exchanges of a route. What was learned of it stays when a new snapshot asks again. */
  tapFor(of: Shadowed): ShadowTap;
  readonly parity: Parity;
  readonly pictures: PictureStore;
  readonly metrics: readonly Metric[];
  stats(): { readonly inFlight: number; readonly waiting: number; readonly copyBytes: number };
  /** Gives up what is under way. */
  close(): Promise<void>;
}

/**
 * Repeats a sample of the requests at the side that did not answer them, and compares. Nothing here is waited for by a client: copies are bounded,
 * connections and times its own, and what is too much is dropped and counted.
 */
export function createShadow(options: ShadowOptions): Shadow {
  const limits: ShadowLimits = { ...DEFAULT_SHADOW_LIMITS, ...options.limits };
  const random = options.random ?? Math.random;
  const now = options.now ?? Date.now;
  const memory = new Memory(limits.copyBytes);
  const pictures = createPictureStore(options.folder);
  const parity = createParity(limits, pictures);
  const sender = createSender();
  const comparing = createComparing(limits);
  const closing = new AbortController();
  const routes = new Map<string, Known>();
  const inFlight = new Map<string, number>();
  const asked = new Map<Sample, Asked>();
  const onResult = options.onResult ?? (() => undefined);
  const judging: JudgeParts = { comparing, parity, pictures, limits, now, onResult, log: options.log };

  const knownOf = ({ feature, route }: Shadowed): Known => {
    const key = JSON.stringify([feature, route]);
    const known = routes.get(key) ?? { noise: createNoise(limits), rest: createRest() };
    routes.set(key, known);
    return known;
  };

  /** Asks an upstream, unless as many as may be are under way. Never rejects. */
  async function ask(sample: Sample, upstream: string, signal: AbortSignal): Promise<Reply> {
    const { feature, rules } = sample.of;
    const under = inFlight.get(feature) ?? 0;
    if (under >= rules.inFlight) return { dropped: 'full' };
    inFlight.set(feature, under + 1);
    try {
      const urls = options.urls(upstream);
      if (urls.length === 0) return { dropped: 'unavailable' };
      const url = urls[Math.floor(random() * urls.length)]!;
      const { timeouts } = rules;
      const [head, body, copy] = [sample.head(), sample.body(), sample.newCopy()];
      return await sender.send({ url, head, body, copy, timeouts, signal });
    } catch (error) {
      options.log.warn({ err: error, feature }, 'a request could not be repeated');
      return { dropped: 'failed' };
    } finally {
      inFlight.set(feature, inFlight.get(feature)! - 1);
    }
  }

  function drop(sample: Sample, reason: Dropped): void {
    parity.drop(sample.of.feature, reason);
  }

  const owner: SampleOwner = {
    answered(sample) {
      const { sentCopy, answerCopy } = sample;
      if (closing.signal.aborted || sentCopy.isTooLong || sentCopy.isLost) return;
      // Its length is announced: there will be nothing to compare with.
      if (answerCopy.isTooLong) return;
      const abort = new AbortController();
      const other = sample.primary === sample.of.default ? sample.of.service : sample.of.default;
      const reply = ask(sample, other, abort.signal);
      asked.set(sample, { upstream: other, abort, reply });
      void reply.then((got) => {
        const isOurs = 'dropped' in got && OURS.includes(got.dropped);
        if (!isOurs) knownOf(sample.of).rest.note('answer' in got && !got.answer.isTooLong, now());
      });
    },
    ended(sample) {
      void finish(sample)
        .catch((error: unknown) => owner.failed(sample, error))
        .finally(() => sample.free());
    },
    failed(sample, error) {
      options.log.warn({ err: error, feature: sample.of.feature }, 'a sampled request could not be compared');
      drop(sample, 'failed');
      asked.get(sample)?.abort.abort();
      asked.delete(sample);
      sample.free();
    },
  };

  /** The primary is done: waits for the shadow, asks the primary again if that is due, and compares. */
  async function finish(sample: Sample): Promise<void> {
    const { sentCopy, answerCopy, of } = sample;
    const under = asked.get(sample);
    asked.delete(sample);
    if (closing.signal.aborted) return under?.abort.abort();
    if (!sample.isWhole || under === undefined) {
      under?.abort.abort();
      if (sample.isWhole && answerCopy.isTooLong) {
        parity.result(of.feature, 'incomparable');
        return onResult(of.feature, 'incomparable');
      }
      // The router's own answer, or none: there is nothing to compare with, and nobody was asked.
      if (sample.primary === '') return;
      return drop(sample, sentCopy.isLost ? 'memory' : sentCopy.isTooLong ? 'tooLong' : 'aborted');
    }
    if (answerCopy.isLost) {
      under.abort.abort();
      return drop(sample, 'memory');
    }
    const { noise } = knownOf(of);
    if (!sample.isSafe || !noise.isDue(of.rules.again, random()))
      return await noise.learned().then(() => conclude(sample, under, noise, null));
    const again = ask(sample, sample.primary, under.abort.signal);
    const done = conclude(sample, under, noise, again);
    noise.learning(done.catch(() => undefined));
    await done;
  }

  async function conclude(
    sample: Sample,
    { upstream, reply }: Asked,
    noise: Noise,
    again: Promise<Reply> | null,
  ): Promise<void> {
    const [shadow, second] = await Promise.all([reply, again]);
    if (closing.signal.aborted) return;
    if ('dropped' in shadow) return drop(sample, shadow.dropped);
    const repeated = second !== null && 'answer' in second ? second.answer : null;
    const answers = { shadow: shadow.answer, again: repeated, shadowName: upstream };
    await judge(judging, sample, noise, answers);
  }

  return {
    tapFor(of) {
      const { rest } = knownOf(of);
      return {
        watch(method) {
          const isSafe = method === 'GET' || method === 'HEAD';
          if (!isSafe && !of.shadowsWrites) return null;
          if (random() >= of.rules.sample) return null;
          // What will be dropped anyway is not even copied.
          const isFull = (inFlight.get(of.feature) ?? 0) >= of.rules.inFlight;
          if (isFull || rest.isResting(now())) {
            parity.drop(of.feature, isFull ? 'full' : 'resting');
            return null;
          }
          return new Sample(of, method, memory, owner);
        },
      };
    },
    parity,
    pictures,
    metrics: createCounters(parity),
    stats: () => ({
      inFlight: [...inFlight.values()].reduce((sum, count) => sum + count, 0),
      waiting: comparing.waiting(),
      copyBytes: memory.used,
    }),
    async close() {
      closing.abort();
      for (const { abort } of asked.values()) abort.abort();
      sender.close();
      await comparing.close();
    },
  };
}
