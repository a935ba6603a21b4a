/** Whether a feature moves by itself: it has no ramp, it does, it does not, or it stepped back and waits for somebody. */
export type RampState = 'none' | 'running' | 'paused' | 'latched';

/** What happens to a ramp. `shift` is any change of the share or stage that was not its own. */
export type RampEvent = 'shift' | 'pause' | 'resume' | 'breach' | 'breachThatPauses' | 'held' | 'notEnough';

export type RampMove = 'none' | 'stepUp' | 'stepBack';

interface Transition {
  readonly state: RampState;
  readonly move: RampMove;
}

const stay = (state: RampState): Transition => ({ state, move: 'none' });

/**
 * Only a running ramp moves. It goes up when a step was held and every gate passed, back once on a breach, and then it waits: somebody
 * must look and resume. What a person does always wins, and pauses it.
 */
export const RAMP_TABLE: Readonly<Record<RampState, Readonly<Record<RampEvent, Transition>>>> = {
  none: every(stay('none')),
  running: {
    ...every(stay('running')),
    shift: stay('paused'),
    pause: stay('paused'),
    breach: { state: 'latched', move: 'stepBack' },
    breachThatPauses: stay('paused'),
    held: { state: 'running', move: 'stepUp' },
  },
  paused: { ...every(stay('paused')), resume: stay('running') },
  latched: {
    ...every(stay('latched')),
    shift: stay('paused'),
    pause: stay('paused'),
    resume: stay('running'),
  },
};

/** The state after an event, and where the share goes. Pure. */
export function nextRamp(state: RampState, event: RampEvent): Transition {
  return RAMP_TABLE[state][event];
}

function every(transition: Transition): Record<RampEvent, Transition> {
  return {
    shift: transition,
    pause: transition,
    resume: transition,
    breach: transition,
    breachThatPauses: transition,
    held: transition,
    notEnough: transition,
  };
}

/** The first step above a share in percent; null when it stands at the last one or above. */
export function stepAbove(steps: readonly number[], percent: number): number | null {
  return steps.find((step) => step > percent) ?? null;
}

/** The last step below a share in percent; 0 before the first. */
export function stepBelow(steps: readonly number[], percent: number): number {
  return steps.findLast((step) => step < percent) ?? 0;
}

/** Index of the step a share stands at; null between steps and at 0. */
export function stepIndex(steps: readonly number[], percent: number | null): number | null {
  const index = percent === null ? -1 : steps.indexOf(percent);
  return index === -1 ? null : index;
}

/** What a look at a running ramp finds. Times in milliseconds. */
export interface Look {
  readonly percent: number;
  /** Since the window began. */
  readonly heldFor: number;
  readonly hold: number;
  readonly onBreach: 'stepBack' | 'pause';
  readonly verdicts: readonly ('pass' | 'breach' | 'notEnough')[];
}

/**
 * The event a look amounts to. At 0 % nobody is on the service, so there is nothing to hold and nothing to measure but parity: the first step
 * is taken unless a gate says breach.
 */
export function eventOf({ percent, heldFor, hold, onBreach, verdicts }: Look): RampEvent {
  if (verdicts.includes('breach')) return onBreach === 'pause' ? 'breachThatPauses' : 'breach';
  if (percent === 0) return 'held';
  return heldFor >= hold && verdicts.every((verdict) => verdict === 'pass') ? 'held' : 'notEnough';
}
