import type { Answer } from './answer.ts';
import type { Findings } from './difference.ts';

/** The status: the same, or the answers differ. */
export function compareStatus(primary: Answer, shadow: Answer, findings: Findings): void {
  if (primary.status !== shadow.status)
    findings.add({ kind: 'status', where: 'status', primary: primary.status, shadow: shadow.status });
}

/**
 * 304 on one side only: the client named a validator (RFC 9110 section 13.1) that this side made and the other can't know, so nothing is
 * known of what the sides would have answered without it.
 */
export function isOneSidedRevalidation(primary: Answer, shadow: Answer): boolean {
  const [low, high] = [primary.status, shadow.status].toSorted((a, b) => a - b);
  return high === 304 && low! >= 200 && low! < 300;
}

/**
 * A range answered on one side only (206, or 416 where it has none of these bytes): the other side ignored the header, as it may (RFC 9110 section 14.2).
 * Both are right, and parts are not compared with wholes.
 */
export function isOneSidedRange(primary: Answer, shadow: Answer): boolean {
  const [low, high] = [primary.status, shadow.status].toSorted((a, b) => a - b);
  return low === 200 && (high === 206 || high === 416);
}
