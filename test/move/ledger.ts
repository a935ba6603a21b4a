import type { Deed, Done } from './transaction.ts';

/** What clients did and saw; what the end is compared with. */
export interface Ledger {
  /** Appends that were acknowledged. */
  readonly acked: Set<string>;
  /** Appends, and deletions' contents, of which nobody knows whether they happened: the answer was lost. */
  readonly maybe: Set<string>;
  readonly maybeGone: Set<string>;
  /** Contents of rows whose deletion was acknowledged, one entry a time an append was in one. */
  readonly gone: string[];
  refused: number;
  /** Writes that were acknowledged by the router. */
  routed: number;
  /** Times two sides were seen to be a home at once: a transaction had written at one, and before it ended the home was the other; or both said so. */
  dualHome: number;
  /** Answers that are none of those a client may get. */
  readonly strange: Map<string, number>;
}

export const newLedger = (): Ledger => ({
  acked: new Set(),
  maybe: new Set(),
  maybeGone: new Set(),
  gone: [],
  refused: 0,
  routed: 0,
  dualHome: 0,
  strange: new Map(),
});

/** Enters what a client was told. */
export function enter(ledger: Ledger, { op }: Deed, { what, appended, gone, isDual, strange }: Done): void {
  if (isDual) ledger.dualHome += 1;
  if (strange !== undefined) ledger.strange.set(strange, (ledger.strange.get(strange) ?? 0) + 1);
  if (what === 'done') {
    if (appended) ledger.acked.add(op);
    ledger.gone.push(...gone);
  } else if (what === 'unknown') {
    if (appended) ledger.maybe.add(op);
    for (const one of gone) ledger.maybeGone.add(one);
  } else ledger.refused += 1;
}
