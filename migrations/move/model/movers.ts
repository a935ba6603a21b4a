import type { Bug } from './bugs.ts';
import type { Step } from './steps.ts';
import {
  IDLE,
  SIDES,
  SIDE_NAMES,
  other,
  replaced,
  withSide,
  type Mover,
  type SideId,
  type State,
} from './state.ts';

/**
 * The handover of the bucket: fence at the old home, drain it, commit point at the new home, finalise at the old. A fenced bucket whose drain never ends can be given
 * back, and that too is decided at the new home: whoever is first to write the epoch there decides who is home in it. Two movers that know nothing of each
 * other, each of which can be killed or fall asleep anywhere; either takes up what the rows say is half done. Each step is a transaction at one side.
 */
export function moverSteps(state: State, bug: Bug | null, lastEpoch: number): Step[] {
  const steps: Step[] = [];
  for (const index of [0, 1] as const) {
    const mover = state.movers[index];
    const become = (next: Mover, from = state): State => ({
      ...from,
      movers: replaced(from.movers, index, next),
    });
    if (mover.at === 'idle') {
      if (index === 0 || state.movers[0].at !== 'idle')
        for (const from of SIDES) steps.push(...starts(state, from, bug, lastEpoch, become));
      continue;
    }
    steps.push({ text: () => 'a mover is killed', state: become(IDLE), isFailure: true });
    const { from, epoch } = mover;
    const to = other(from);
    if (mover.at === 'decided') {
      steps.push({
        text: () =>
          `a mover finalises at ${SIDE_NAMES[from]}, if epoch ${epoch} is still its own: ${SIDE_NAMES[mover.home]} is home`,
        state: become(IDLE, finalised(state, mover, bug)),
      });
      if (bug === 'abortAfterCommit')
        steps.push({
          text: () => `a mover heard nothing, gives up and takes the fence of ${SIDE_NAMES[from]} away`,
          state: become(IDLE, withSide(state, from, { home: from, moving: false })),
        });
    } else if (mover.at === 'drained') {
      steps.push(decision(state, mover, to, bug, become));
    } else if (mover.at === 'fenced') {
      if (bug === 'undrained' || isDrained(state, from))
        steps.push({
          text: () => `a mover sees that ${SIDE_NAMES[from]} is drained`,
          state: become({ at: 'drained', from, epoch }),
        });
      steps.push(decision(state, mover, from, bug, become));
    } else if (state.sides[from].home === from && !isHeld(state, from)) {
      steps.push(fence(state, from, epoch, (next) => become({ at: 'drained', from, epoch }, next)));
    }
  }
  return steps;
}

function starts(
  state: State,
  from: SideId,
  bug: Bug | null,
  lastEpoch: number,
  become: (next: Mover, from?: State) => State,
): Step[] {
  const { home, epoch, moving, rows } = state.sides[from];
  // Half done: the rows say so, whoever began it.
  if (home !== from && moving && bug !== 'neverTakenUp')
    return [
      {
        text: () => `a mover takes up the handover of epoch ${epoch} from ${SIDE_NAMES[from]}`,
        state: become({ at: 'fenced', from, epoch }),
      },
    ];
  const isBackfilled = rows.every((row) => row?.epoch !== 0);
  if (home !== from || epoch >= lastEpoch || !(isBackfilled || bug === 'backfillUnchecked')) return [];
  const next = bug === 'epochKept' ? epoch : epoch + 1;
  if (bug === 'drainBeforeFence')
    return isDrained(state, from)
      ? [
          {
            text: () => `a mover sees that ${SIDE_NAMES[from]} is drained, before its fence`,
            state: become({ at: 'emptied', from, epoch: next }),
          },
        ]
      : [];
  if (isHeld(state, from) && bug !== 'noFenceLock') return [];
  return [fence(state, from, next, (fenced) => become({ at: 'fenced', from, epoch: next }, fenced))];
}

function fence(state: State, from: SideId, epoch: number, become: (fenced: State) => State): Step {
  return {
    text: () => `a mover fences ${SIDE_NAMES[from]}, epoch ${epoch}`,
    state: become(withSide(state, from, { home: other(from), epoch, moving: true })),
  };
}

/** Whether a transaction has the bucket's shared lock, for which the fence's exclusive one waits. */
function isHeld({ writers }: State, side: SideId): boolean {
  return writers.some((writer) => writer.at === 'written' && writer.side === side);
}

function isDrained({ sides }: State, side: SideId): boolean {
  return sides[side].rows.every((row) => !row?.dirty);
}

/** The one instant at which the handover is done, or given back: the new home's row takes the epoch, and only once. What is there after it is the answer, whoever wrote it. */
function decision(
  state: State,
  { from, epoch }: { from: SideId; epoch: number },
  home: SideId,
  bug: Bug | null,
  become: (next: Mover, from: State) => State,
): Step {
  const at = other(from);
  const { [at]: before } = state.sides;
  // Without a new epoch there is only the home to ask for.
  const isFirst =
    bug === 'commitUnguarded' || (bug === 'epochKept' ? before.home === from : before.epoch < epoch);
  const decided = isFirst ? withSide(state, at, { home, epoch, moving: false }) : state;
  const { [at]: after } = decided.sides;
  // A later epoch is another handover's: this one is over.
  const isOver = after.epoch !== epoch && bug !== 'laterAnswer';
  return {
    text: () =>
      `${home === at ? 'commit point' : 'given back'}: ${SIDE_NAMES[at]} notes that ${SIDE_NAMES[home]} is home in epoch ${epoch}, if its own is older`,
    state: become(isOver ? IDLE : { at: 'decided', from, epoch, home: after.home }, decided),
  };
}

function finalised(
  state: State,
  { from, epoch, home }: { from: SideId; epoch: number; home: SideId },
  bug: Bug | null,
): State {
  return state.sides[from].epoch === epoch || bug === 'finaliseUnchecked'
    ? withSide(state, from, { home, epoch, moving: false })
    : state;
}
