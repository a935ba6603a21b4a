import { compare, type Comparison, type Verdict } from './compare/compare.ts';
import { Copy, Memory } from './copy.ts';
import { readAnswerLines, readSentHead } from './head-lines.ts';
import { mismatchOf, type Judged } from './judged.ts';
import type { BeginMessage, Outcome, PrimaryAnswer, RepeaterSetup, ToRepeater } from './messages.ts';
import { createNoise, type Noise } from './noise.ts';
import type { Dropped, Shadowed } from './options.ts';
import { createPictureStore } from './pictures.ts';
import { createSender, type Reply } from './sender.ts';
import { createSlots, type Slots } from './slots.ts';
import { picturesOf } from './thumbnails.ts';

export interface RepeaterOptions extends RepeaterSetup {
  readonly post: (outcome: Outcome) => void;
  /** In [0, 1): for asking the primary again. */
  readonly random: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface Repeater {
  take(message: ToRepeater): void;
}

interface Route {
  readonly of: Shadowed;
  readonly noise: Noise;
  readonly slots: Slots;
}

/** A sample under way. */
interface Pending {
  readonly begin: BeginMessage;
  readonly route: Route;
  readonly abort: AbortController;
  readonly answer: PromiseWithResolvers<PrimaryAnswer | null>;
  readonly copies: Copy[];
}

/** Drops that say nothing about the shadow. */
const OURS: readonly Dropped[] = ['full', 'memory', 'aborted', 'failed'];

/** Sends the copies, waits for the answers, compares, and tells the outcome of each sample once, unless it was aborted. */
export function createRepeater({ limits, folder, post, random, now }: RepeaterOptions): Repeater {
  const routes = new Map<number, Route>();
  const pending = new Map<number, Pending>();
  // Noise belongs to a route of the config, and a new snapshot gives it a new number.
  const noises = new Map<string, Noise>();
  const slots = new Map<string, Slots>();
  const memory = new Memory(limits.replyBytes);
  const sender = createSender();
  const pictures = createPictureStore(folder);
  let comparing: Promise<unknown> = Promise.resolve();

  function noiseOf({ feature, route }: Shadowed): Noise {
    const key = JSON.stringify([feature, route]);
    const noise = noises.get(key) ?? createNoise(limits);
    noises.set(key, noise);
    return noise;
  }

  async function send({ begin, route, abort, copies }: Pending, url: string): Promise<Reply> {
    const { maxBody, timeouts } = route.of.rules;
    const { signal } = abort;
    if (!(await route.slots.take(timeouts.response, signal)))
      return { dropped: signal.aborted ? 'aborted' : 'full' };
    try {
      const copy = new Copy(maxBody, memory);
      copies.push(copy);
      const head = readSentHead(begin.head);
      return await sender.send({ url, head, body: begin.body, copy, timeouts, signal });
    } finally {
      route.slots.give();
    }
  }

  /** Places of a feature; a config that gives it another number gives it others. */
  function slotsOf({ feature, rules }: Shadowed): Slots {
    const key = JSON.stringify([feature, rules.inFlight]);
    const known = slots.get(key) ?? createSlots(rules.inFlight);
    slots.set(key, known);
    return known;
  }

  /** One comparison at a time: a picture takes much memory while it is open. */
  function compareNext(comparison: Comparison): Promise<Verdict> {
    const next = comparing.then(() => compare(comparison));
    comparing = next.catch(() => undefined);
    return next;
  }

  /** null: aborted. */
  async function outcomeOf(sample: Pending): Promise<Omit<Outcome, 'id'> | null> {
    const { begin, route } = sample;
    const sent = send(sample, begin.shadowUrl);
    const answer = await sample.answer.promise;
    if (answer === null) return null;
    const { noise, of } = route;
    const isSafe = begin.method === 'GET' || begin.method === 'HEAD';
    const isDue = isSafe && begin.primaryUrl !== null && noise.isDue(of.rules.again, random());
    if (!isDue) await noise.learned();
    const judging = judged(sample, answer, sent, isDue ? send(sample, begin.primaryUrl!) : null);
    if (isDue) noise.learning(judging.catch(() => undefined));
    return await judging;
  }

  async function judged(
    { begin, route: { of, noise } }: Pending,
    { status, head, body, isTooLong }: PrimaryAnswer,
    sent: Promise<Reply>,
    sentAgain: Promise<Reply> | null,
  ): Promise<Omit<Outcome, 'id'>> {
    const [reply, second] = await Promise.all([sent, sentAgain]);
    if ('dropped' in reply) {
      const isBad = OURS.includes(reply.dropped) ? null : true;
      return { result: reply.dropped, mismatch: null, reason: null, isBad };
    }
    const shadow = reply.answer;
    const again = second !== null && 'answer' in second ? second.answer : null;
    const primary = { status, headers: readAnswerLines(head), body, isTooLong };
    const rules = {
      mode: of.rules.compare,
      headers: of.rules.headers,
      maxDistance: of.rules.imageDistance,
      maxDecoded: limits.decodedBytes,
    };
    const places = noise.places(now());
    const comparison = { method: begin.method, primary, shadow, again, noise: places, rules, now: now() };
    const verdict = await compareNext(comparison);
    noise.learn(verdict.noise, now());
    const isBad = shadow.isTooLong && !isTooLong;
    if (verdict.result !== 'mismatch')
      return { result: verdict.result, mismatch: null, reason: verdict.reason, isBad };
    if (again === null) noise.suspect();
    const kept: Judged = { of, begin, primary, shadow, verdict, now: now() };
    const mismatch = mismatchOf(kept);
    const hasPictures = await keepPictures(mismatch.id, comparison);
    return { result: 'mismatch', mismatch: { ...mismatch, hasPictures }, reason: null, isBad };
  }

  async function keepPictures(id: string, comparison: Comparison): Promise<boolean> {
    const shown = await picturesOf(comparison);
    if (shown === null) return false;
    // A folder that can't be written costs the pictures, not the result.
    return await pictures.save(id, shown).then(
      () => true,
      () => false,
    );
  }

  async function run(id: number, sample: Pending): Promise<void> {
    let outcome: Omit<Outcome, 'id'> | null;
    try {
      outcome = await outcomeOf(sample);
    } catch {
      outcome = { result: 'failed', mismatch: null, reason: null, isBad: null };
    }
    pending.delete(id);
    for (const copy of sample.copies) copy.free();
    if (outcome !== null) post({ id, ...outcome });
  }

  return {
    take(message) {
      switch (message.kind) {
        case 'route':
          routes.set(message.route, {
            of: message.of,
            noise: noiseOf(message.of),
            slots: slotsOf(message.of),
          });
          return;
        case 'begin': {
          const answer = Promise.withResolvers<PrimaryAnswer | null>();
          const route = routes.get(message.route)!;
          const sample = { begin: message, route, abort: new AbortController(), answer, copies: [] };
          if (message.answer !== null) answer.resolve(message.answer);
          pending.set(message.id, sample);
          void run(message.id, sample);
          return;
        }
        case 'end':
          pending.get(message.id)?.answer.resolve(message.answer);
          return;
        case 'abort': {
          const sample = pending.get(message.id);
          sample?.answer.resolve(null);
          sample?.abort.abort();
        }
      }
    },
  };
}
