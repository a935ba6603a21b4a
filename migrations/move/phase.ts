/**
 * The phases of a move that has started. Which buckets are where is not a phase: `ramp` covers everything from 0 to 100 %, the way back too.
 *
 *   backfill → verify → ramp ⇄ soak → complete → contracted
 *         └───────┴───────┴→ cancelled
 */
export type Phase = 'backfill' | 'verify' | 'ramp' | 'soak' | 'complete' | 'cancelled' | 'contracted';

/** `arrived`: every bucket's home is the new side, as wanted. `left`: less than that is wanted. */
export type PhaseEvent = 'backfilled' | 'verified' | 'arrived' | 'left' | 'complete' | 'cancel' | 'contract';

const TABLE: Readonly<Record<Phase, Partial<Record<PhaseEvent, Phase>>>> = {
  backfill: { backfilled: 'verify', cancel: 'cancelled' },
  verify: { verified: 'ramp', cancel: 'cancelled' },
  ramp: { arrived: 'soak', cancel: 'cancelled' },
  soak: { left: 'ramp', complete: 'complete' },
  complete: { contract: 'contracted' },
  cancelled: {},
  contracted: {},
};

/** The phase after an event; undefined when this phase has no such event. */
export const nextPhase = (phase: Phase, event: PhaseEvent): Phase | undefined => TABLE[phase][event];

/** Phases in which rows travel, in both directions. */
export const isSyncing = (phase: Phase): boolean => !['complete', 'cancelled', 'contracted'].includes(phase);

/** Phases in which buckets may change their home. */
export const isRamping = (phase: Phase): boolean => phase === 'ramp' || phase === 'soak';
