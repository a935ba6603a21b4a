import { randomBytes } from 'node:crypto';
import type { Answer } from './compare/answer.ts';
import type { Verdict } from './compare/compare.ts';
import { placeOf } from './compare/difference.ts';
import { readSentHead } from './head-lines.ts';
import type { BeginMessage } from './messages.ts';
import type { Mismatch } from './mismatches.ts';
import type { Shadowed } from './options.ts';
import { redactDifference, redactTarget, redactText, secretsOf } from './redact.ts';

/** A comparison that found a difference. */
export interface Judged {
  readonly of: Shadowed;
  readonly begin: BeginMessage;
  readonly primary: Answer;
  readonly shadow: Answer;
  readonly verdict: Verdict;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What is kept of it: redacted, and without the bodies. */
export function mismatchOf({
  of,
  begin,
  primary,
  shadow,
  verdict,
  now,
}: Judged): Omit<Mismatch, 'hasPictures'> {
  const head = readSentHead(begin.head);
  const secrets = secretsOf(head.lines, primary.headers, shadow.headers);
  const first = verdict.differences[0]!;
  return {
    // Unlike those of other processes, for one of them adds all up.
    id: randomBytes(8).toString('hex'),
    at: new Date(now).toISOString(),
    method: begin.method,
    path: redactTarget(head.target, secrets),
    route: of.route,
    primary: begin.primary,
    shadow: begin.shadow,
    kind: first.kind,
    place: redactText(placeOf(first), secrets),
    differences: verdict.differences.map((each) => redactDifference(each, secrets)),
  };
}
