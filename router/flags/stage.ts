/** The life of a feature's extraction. Order is the order of the steps forward. */
export const STAGES = ['off', 'shadow', 'canary', 'live', 'retired'] as const;
export type Stage = (typeof STAGES)[number];

/** Which sides a flag may send requests to in a stage: the default upstream only, the service only, or either. */
export type Sides = 'default' | 'service' | 'both';

interface StageRule {
  /** The one step forward; null at the end. */
  readonly next: Stage | null;
  readonly sides: Sides;
  /** Where `rollback` goes without `--to`. */
  readonly rollback: Stage;
}

/**
 * off and shadow answer from the default upstream, canary splits, live answers from the service with the default upstream as fallback,
 * retired from the service alone. Forward is one step at a time, backward any.
 */
export const STAGE_TABLE = {
  off: { next: 'shadow', sides: 'default', rollback: 'off' },
  shadow: { next: 'canary', sides: 'default', rollback: 'off' },
  canary: { next: 'live', sides: 'both', rollback: 'canary' },
  live: { next: 'retired', sides: 'service', rollback: 'canary' },
  retired: { next: null, sides: 'service', rollback: 'canary' },
} as const satisfies Record<Stage, StageRule>;

export type StageEvent =
  | { readonly kind: 'promote' }
  | { readonly kind: 'rollback'; readonly to: Stage | null }
  | { readonly kind: 'shift' }
  | { readonly kind: 'kill' };

/** The stage after an event, or a sentence that says why the event is refused in this stage. Pure. */
export function nextStage(
  stage: Stage,
  event: StageEvent,
): { readonly stage: Stage } | { readonly refused: string } {
  const rule = STAGE_TABLE[stage];
  if (event.kind === 'promote')
    return rule.next ? { stage: rule.next } : { refused: 'retired is the last stage' };
  if (event.kind === 'rollback') {
    const to = event.to ?? rule.rollback;
    if (STAGES.indexOf(to) <= STAGES.indexOf(stage)) return { stage: to };
    return {
      refused: `${to} comes after ${stage}; a rollback only goes back (promote goes forward, one step at a time)`,
    };
  }
  if (event.kind === 'shift') {
    return stage === 'canary'
      ? { stage }
      : { refused: `the share can only be shifted in canary; the stage is ${stage}` };
  }
  return stage === 'retired'
    ? {
        refused: 'the default upstream no longer serves a retired feature; roll back to live or canary first',
      }
    : { stage };
}

export function isStage(value: unknown): value is Stage {
  return STAGES.includes(value as Stage);
}
