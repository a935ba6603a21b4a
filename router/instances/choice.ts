/** What choosing looks at. */
export interface Candidate {
  /** Requests in flight. */
  readonly inFlight: number;
}

/**
 * One of several instances: of two picked at random the one with less to do. Random alone piles up on a slow instance, least-busy alone sends
 * everybody to the one that has just come back; two choices do neither. `random` is in [0, 1).
 */
export function choose<T extends Candidate>(candidates: readonly T[], random: () => number): T | null {
  const count = candidates.length;
  if (count < 2) return candidates[0] ?? null;
  const first = Math.floor(random() * count);
  const second = (first + 1 + Math.floor(random() * (count - 1))) % count;
  const a = candidates[first]!;
  const b = candidates[second]!;
  return b.inFlight < a.inFlight ? b : a;
}
