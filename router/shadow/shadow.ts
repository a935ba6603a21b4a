import type { Result } from './compare/compare.ts';
import { Memory } from './copy.ts';
import { InFlight } from './in-flight.ts';
import type { Outcome } from './messages.ts';
import { DEFAULT_SHADOW_LIMITS, WAITING, type Dropped, type Shadowed, type ShadowLimits } from './options.ts';
import { createParity, type Parity } from './parity.ts';
import { createPictureStore, type PictureStore } from './pictures.ts';
import { createRest, type Rest } from './rest.ts';
import { Sample, type SampleOwner } from './sample.ts';
import { createThread } from './thread.ts';

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
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: () => number;
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
  stats(): { readonly inFlight: number; readonly copyBytes: number };
  /** Gives up what is under way. */
  close(): Promise<void>;
}

const RESULTS: readonly string[] = ['match', 'mismatch', 'ignored', 'incomparable'] satisfies Result[];

/** How long nothing is sampled after the thread has died, in milliseconds: to begin another one costs the loop that serves. */
const AFTER_DEATH = 5000;

/** How often samples are looked at that take too long, in milliseconds. */
const SWEEP = 1000;

/**
 * Repeats a sample of the requests at the side that did not answer them, and compares. Nothing here is waited for by a client: copies are bounded,
 * all else happens in a thread of its own, and what is too much is dropped and counted.
 */
export function createShadow(options: ShadowOptions): Shadow {
  const limits: ShadowLimits = { ...DEFAULT_SHADOW_LIMITS, ...options.limits };
  const random = options.random ?? Math.random;
  const now = options.now ?? (() => performance.now());
  const memory = new Memory(limits.copyBytes);
  const pictures = createPictureStore(options.folder);
  const parity = createParity(limits, pictures);
  const rests = new Map<string, Rest>();
  const inFlight = new InFlight();
  const told = new Set<string>();
  let nextId = 0;
  let isClosed = false;
  let goneUntil = -Infinity;

  const thread = createThread({
    folder: options.folder,
    limits,
    onOutcome({ id, result, mismatch, reason, isBad }) {
      const sample = inFlight.release(id);
      if (!sample) return;
      const { feature } = sample.of;
      if (isBad !== null) restOf(sample.of).note(!isBad, now());
      if (mismatch !== null) parity.mismatch(feature, mismatch);
      if (reason !== null) tell(feature, reason);
      conclude(feature, result);
    },
    onGone(error) {
      if (isClosed) return;
      goneUntil = now() + AFTER_DEATH;
      options.log.warn({ err: error }, 'the thread that compares has ended; another one is begun');
      for (const { id, sample } of inFlight.all()) {
        inFlight.release(id);
        parity.drop(sample.of.feature, 'failed');
      }
    },
  });

  const sweep = setInterval(() => {
    for (const { id, sample, at } of inFlight.all()) {
      const age = now() - at;
      const { total } = sample.of.rules.timeouts;
      // An answer that goes on and on (events) is not worth its place.
      if (!sample.isOver && age > total) abort(id, 'aborted');
      else if (age > 3 * total + limits.compareMs) return thread.drop('a comparison took too long');
    }
  }, SWEEP);
  sweep.unref();

  function conclude(feature: string, result: Outcome['result']): void {
    if (!isResult(result)) return parity.drop(feature, result);
    parity.result(feature, result);
    try {
      options.onResult?.(feature, result);
    } catch (error) {
      options.log.warn({ err: error, feature }, 'who is told of a comparison failed');
    }
  }

  /** Says each reason once, and not many. */
  function tell(feature: string, reason: string): void {
    if (told.size >= 20 || told.has(reason)) return;
    told.add(reason);
    options.log.warn({ feature, reason }, 'answers could not be compared');
  }

  function restOf({ feature, route }: Shadowed): Rest {
    const key = JSON.stringify([feature, route]);
    const rest = rests.get(key) ?? createRest();
    rests.set(key, rest);
    return rest;
  }

  function abort(id: number, reason: Dropped): void {
    const sample = inFlight.release(id);
    if (!sample) return;
    thread.post({ kind: 'abort', id }, []);
    parity.drop(sample.of.feature, reason);
  }

  function isFull(of: Shadowed): boolean {
    return inFlight.count(of.feature) >= of.rules.inFlight * (1 + WAITING);
  }

  /** Hands a sample over, or answers why not. */
  function handOver(sample: Sample): Dropped | null {
    const { of, sentCopy, primary, head, method, route } = sample;
    if (sentCopy.isTooLong) return 'tooLong';
    if (sentCopy.isLost || sample.answerCopy.isLost) return 'memory';
    if (isFull(of)) return 'full';
    const shadow = primary === of.default ? of.service : of.default;
    const shadowUrl = pick(options.urls(shadow));
    if (shadowUrl === null) return 'unavailable';
    const id = nextId++;
    const body = sample.body();
    const answer = sample.isOver ? sample.answer() : null;
    const primaryUrl = pick(options.urls(primary));
    thread.post(
      { kind: 'begin', id, route, method, primary, shadow, primaryUrl, shadowUrl, head, body, answer },
      [body, answer?.body].flatMap((bytes) => bytes?.buffer ?? []),
    );
    sample.id = id;
    inFlight.add(sample, now());
    return null;
  }

  const pick = (urls: readonly string[]): string | null => urls[Math.floor(random() * urls.length)] ?? null;

  const owner: SampleOwner = {
    answered(sample) {
      // When the answer is whole by now, which most are, all is handed over at once.
      if (isClosed || (sample.isOver && sample.isSafe) || sample.answerCopy.isTooLong) return;
      const reason = handOver(sample);
      if (reason !== null) drop(sample, reason);
    },
    ended(sample) {
      const { id, isWhole, answerCopy } = sample;
      if (isClosed || sample.isDropped) return sample.free();
      const reason = isWhole ? (answerCopy.isLost ? 'memory' : null) : 'aborted';
      if (id !== -1) {
        if (reason !== null) return abort(id, reason);
        if (!sample.isSafe || !inFlight.has(id)) return;
        const answer = sample.answer();
        return thread.post({ kind: 'end', id, answer }, [answer.body.buffer]);
      }
      // The router's own answer, or none: there is nothing to compare with.
      if (sample.primary === '') return sample.free();
      if (reason === null && answerCopy.isTooLong) {
        sample.free();
        return conclude(sample.of.feature, 'incomparable');
      }
      const why = reason ?? handOver(sample);
      if (why !== null) drop(sample, why);
    },
    failed(sample, error) {
      options.log.warn({ err: error, feature: sample.of.feature }, 'a sampled request could not be compared');
      if (inFlight.has(sample.id)) abort(sample.id, 'failed');
      else drop(sample, 'failed');
    },
  };

  function drop(sample: Sample, reason: Dropped): void {
    sample.isDropped = true;
    sample.free();
    parity.drop(sample.of.feature, reason);
  }

  return {
    tapFor(of) {
      const route = thread.route(of);
      const rest = restOf(of);
      return {
        watch(method) {
          const isSafe = method === 'GET' || method === 'HEAD';
          if (!isSafe && !of.shadowsWrites) return null;
          if (random() >= of.rules.sample) return null;
          // What will be dropped anyway is not even copied.
          if (isFull(of) || rest.isResting(now()) || now() < goneUntil) {
            parity.drop(of.feature, isFull(of) ? 'full' : 'resting');
            return null;
          }
          return new Sample(of, route, method, memory, owner);
        },
      };
    },
    parity,
    pictures,
    stats: () => ({ inFlight: inFlight.size, copyBytes: memory.used }),
    async close() {
      isClosed = true;
      clearInterval(sweep);
      for (const { id } of inFlight.all()) inFlight.release(id);
      await thread.close();
    },
  };
}

function isResult(result: Outcome['result']): result is Result {
  return RESULTS.includes(result);
}
