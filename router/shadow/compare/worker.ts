import { parentPort } from 'node:worker_threads';
import { mediaType } from './answer.ts';
import { compare, type Comparison, type Verdict } from './compare.ts';
import { decoded } from './decoded.ts';
import { thumbnails } from './image.ts';

/** Longest side of the pictures of a mismatch, in pixels. */
const THUMBNAIL = 512;

export interface Job {
  readonly id: number;
  readonly comparison: Comparison;
}

export interface Done {
  readonly id: number;
  /** null: the comparison failed. */
  readonly verdict: Verdict | null;
  readonly pictures: Pictures | null;
}

/** PNG of both sides and of what differs. */
export interface Pictures {
  readonly primary: Uint8Array;
  readonly shadow: Uint8Array;
  readonly difference: Uint8Array;
}

// The thread that compares: decoding pictures and walking through long JSON must not hold up the loop that serves. One job at a time.
let last: Promise<void> = Promise.resolve();
parentPort?.on('message', (job: Job) => {
  last = last.then(() => work(job));
});

async function work({ id, comparison }: Job): Promise<void> {
  let done: Done;
  try {
    const verdict = await compare(comparison);
    done = { id, verdict, pictures: await picturesOf(comparison, verdict) };
  } catch {
    done = { id, verdict: null, pictures: null };
  }
  // A port between threads has no origin.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  parentPort?.postMessage(done);
}

async function picturesOf(
  { primary, shadow, rules }: Comparison,
  verdict: Verdict,
): Promise<Pictures | null> {
  if (verdict.result !== 'mismatch' || rules.mode !== 'image' || primary.isTooLong || shadow.isTooLong)
    return null;
  if (!mediaType(primary).startsWith('image/') || !mediaType(shadow).startsWith('image/')) return null;
  const one = decoded(primary, rules.maxDecoded);
  const other = decoded(shadow, rules.maxDecoded);
  return one === null || other === null ? null : await thumbnails(one, other, THUMBNAIL);
}
