import { randomBytes } from 'node:crypto';
import type { Answer } from './compare/answer.ts';
import type { Result, Verdict } from './compare/compare.ts';
import { placeOf } from './compare/difference.ts';
import type { Compared, Comparing } from './comparing.ts';
import type { Mismatch } from './mismatches.ts';
import type { Noise } from './noise.ts';
import type { ShadowLimits } from './options.ts';
import type { Parity } from './parity.ts';
import type { PictureStore } from './pictures.ts';
import { redactDifference, redactTarget, redactText, secretsOf } from './redact.ts';
import type { Sample } from './sample.ts';

export interface JudgeParts {
  readonly comparing: Pick<Comparing, 'compare'>;
  readonly parity: Pick<Parity, 'result' | 'drop' | 'mismatch'>;
  readonly pictures: Pick<PictureStore, 'save'>;
  readonly limits: Pick<ShadowLimits, 'decodedBytes'>;
  readonly now: () => number;
  readonly onResult: (feature: string, result: Result) => void;
  readonly log: { warn(fields: object, message: string): void };
}

/** Both answers to one request, and the primary's second one, if it was asked. */
export interface Answers {
  readonly shadow: Answer;
  readonly again: Answer | null;
  /** Upstream that gave `shadow`. */
  readonly shadowName: string;
}

/** Compares, learns what is noise, counts, and keeps what differs. */
export async function judge(
  parts: JudgeParts,
  sample: Sample,
  noise: Noise,
  { shadow, again, shadowName }: Answers,
): Promise<void> {
  const { feature, rules } = sample.of;
  const head = sample.head();
  const primary = sample.answer();
  const secrets = secretsOf(head.lines, primary.headers, shadow.headers);
  const compared = await parts.comparing.compare({
    method: sample.method,
    primary,
    shadow,
    again,
    noise: noise.places(parts.now()),
    rules: {
      mode: rules.compare,
      headers: rules.headers,
      maxDistance: rules.imageDistance,
      maxDecoded: parts.limits.decodedBytes,
    },
    now: parts.now(),
  });
  if (compared === null) return parts.parity.drop(feature, 'failed');
  if (compared === 'full') return parts.parity.drop(feature, 'queue');
  const { verdict } = compared;
  noise.learn(verdict.noise, parts.now());
  if (verdict.result === 'mismatch') {
    if (again === null) noise.suspect();
    const kept = mismatchOf(sample, shadowName, head.target, verdict, secrets, parts.now());
    parts.parity.mismatch(feature, { ...kept, hasPictures: await hasSaved(parts, kept.id, compared) });
  }
  parts.parity.result(feature, verdict.result);
  parts.onResult(feature, verdict.result);
}

function mismatchOf(
  { of, method, primary }: Sample,
  shadow: string,
  target: string,
  { differences }: Verdict,
  secrets: readonly string[],
  now: number,
): Omit<Mismatch, 'hasPictures'> {
  const first = differences[0]!;
  return {
    // Unlike those of other processes, for one of them adds all up.
    id: randomBytes(8).toString('hex'),
    at: new Date(now).toISOString(),
    method,
    path: redactTarget(target, secrets),
    route: of.route,
    primary,
    shadow,
    kind: first.kind,
    place: redactText(placeOf(first), secrets),
    differences: differences.map((each) => redactDifference(each, secrets)),
  };
}

async function hasSaved(
  { pictures, log }: Pick<JudgeParts, 'pictures' | 'log'>,
  id: string,
  compared: Compared,
): Promise<boolean> {
  if (compared.pictures === null) return false;
  try {
    await pictures.save(id, compared.pictures);
    return true;
  } catch (error) {
    log.warn({ err: error }, 'the pictures of a mismatch could not be kept');
    return false;
  }
}
