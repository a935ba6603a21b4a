import { header, mediaType, type Answer } from './answer.ts';
import { compareBytes } from './bytes.ts';
import { decoded } from './decoded.ts';
import { Findings, placeOf, type Difference } from './difference.ts';
import { compareHeaders } from './headers.ts';
import { compareImage } from './image.ts';
import { compareJson, parseJson } from './json.ts';
import { compareStatus, isOneSidedRange, isOneSidedRevalidation } from './status.ts';
import { compareText } from './text.ts';

/** `ignored`: all that could have differed is noise. `incomparable`: nothing is known. */
export type Result = 'match' | 'mismatch' | 'ignored' | 'incomparable';

/** What is compared, and how. */
export interface Rules {
  readonly mode: 'status' | 'json' | 'bytes' | 'image';
  /** Lower-case names, or all but those of the transport. */
  readonly headers: readonly string[] | 'all';
  /** Pictures further apart than this do not match; 0 to 1. */
  readonly maxDistance: number;
  /** Longest body without its content coding, in bytes. */
  readonly maxDecoded: number;
}

export interface Comparison {
  readonly method: string;
  readonly primary: Answer;
  readonly shadow: Answer;
  /** What the primary answered when it was asked again; null: it wasn't. */
  readonly again: Answer | null;
  /** Places that are known to be noise (difference.ts). */
  readonly noise: readonly string[];
  readonly rules: Rules;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Verdict {
  readonly result: Result;
  readonly differences: readonly Difference[];
  /** Places where the primary differs from itself: new noise. */
  readonly noise: readonly string[];
  /** Why nothing is known, when it is `incomparable`. */
  readonly reason: string | null;
}

/** Judges two answers to one request, less what the primary's own two answers differ in. Pure but for the decoding of pictures. */
export async function compare(comparison: Comparison): Promise<Verdict> {
  const { primary, shadow, again } = comparison;
  const known = new Set(comparison.noise);
  let learned: string[] = [];
  if (again !== null && again.status === primary.status) {
    const { findings } = await findingsOf(primary, again, comparison, known);
    learned = [...new Set(findings.differences.map(placeOf))];
    for (const place of learned) known.add(place);
  }
  const { findings, reason } = await findingsOf(primary, shadow, comparison, known);
  return { ...judged(findings, reason), noise: learned };
}

function judged(findings: Findings, reason: string | null): Omit<Verdict, 'noise'> {
  const { differences, compared, masked } = findings;
  if (differences.length > 0) return { result: 'mismatch', differences, reason: null };
  if (reason !== null) return { result: 'incomparable', differences, reason };
  return { result: compared === 0 && masked > 0 ? 'ignored' : 'match', differences, reason: null };
}

async function findingsOf(
  primary: Answer,
  shadow: Answer,
  { method, rules, now }: Comparison,
  places: ReadonlySet<string>,
): Promise<{ findings: Findings; reason: string | null }> {
  const findings = new Findings(places);
  if (isOneSidedRevalidation(primary, shadow))
    return { findings, reason: 'one side answered 304 to a validator that the other does not know' };
  if (isOneSidedRange(primary, shadow))
    return { findings, reason: 'one side answered a range, which the other sent no part of' };
  compareStatus(primary, shadow, findings);
  // Bodies of different statuses differ for that reason alone.
  if (rules.mode === 'status' || primary.status !== shadow.status) return { findings, reason: null };
  compareHeaders(primary, shadow, rules.headers, now, findings);
  if (method === 'HEAD') return { findings, reason: null };
  return { findings, reason: await compareBodies(primary, shadow, rules, now, findings) };
}

async function compareBodies(
  primary: Answer,
  shadow: Answer,
  { mode, maxDistance, maxDecoded }: Rules,
  now: number,
  findings: Findings,
): Promise<string | null> {
  if (primary.isTooLong || shadow.isTooLong) return 'a body is longer than shadow.maxBody';
  const one = decoded(primary, maxDecoded);
  const other = decoded(shadow, maxDecoded);
  if (one === null || other === null)
    return `a body can't be decoded (Content-Encoding: ${header(primary, 'content-encoding') ?? '-'}, ${header(shadow, 'content-encoding') ?? '-'})`;
  const type = mediaType(primary);
  if (mode !== 'bytes' && one.length > 0 && other.length > 0) {
    if (mode === 'image' && type.startsWith('image/') && mediaType(shadow).startsWith('image/')) {
      if (primary.status !== 206) return await compareImage(one, other, maxDistance, findings);
      if (Buffer.compare(one, other) !== 0) return 'parts of pictures are not compared';
    }
    const text = textOf(one);
    const otherText = textOf(other);
    if (isJson(type) && text !== null && otherText !== null) {
      const json = parseJson(text);
      const otherJson = parseJson(otherText);
      if (json !== undefined && otherJson !== undefined) {
        compareJson(json, otherJson, now, findings);
        return null;
      }
    }
    if (isText(type) && text !== null && otherText !== null) {
      compareText(text, otherText, now, findings);
      return null;
    }
  }
  compareBytes(one, other, findings);
  return null;
}

/** What says nothing of its type is looked at: it is mostly JSON or text. */
const isJson = (type: string): boolean => /^(?:|application\/(?:json|.+\+json))$/.test(type);
const isText = (type: string): boolean =>
  /^(?:|text\/.+|application\/(?:javascript|json|xml|.+\+(?:json|xml)))$/.test(type);

/** The body as text; null when it is not UTF-8. */
function textOf(body: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return null;
  }
}
