import type { Bug } from './bugs.ts';
import type { Step } from './steps.ts';
import {
  IDLE,
  SIDES,
  SIDE_NAMES,
  other,
  replaced,
  withSide,
  type Answer,
  type Mover,
  type SideId,
  type State,
} from './state.ts';

/**
 * The handover of the bucket: fence at the old home, drain it, commit point at the new home, finalise at the old. A handover whose drain does not end is given up, and
 * that too is decided at the new home: whoever is first to write there decides. Two movers that know nothing of each
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
    if (mover.at === 'answered') {
      steps.push({
        text: () => `a mover finalises epoch ${epoch} at ${SIDE_NAMES[from]}, if it is moving there`,
        state: become(IDLE, finalised(state, mover, bug)),
      });
    } else if (mover.at === 'decided') {
      const { home, epoch: last, moving } = state.sides[to];
      steps.push({
        text: () =>
          `a mover reads at ${SIDE_NAMES[to]}: home ${SIDE_NAMES[home]}, epoch ${last}${moving ? ', moving' : ''}`,
        state: become(
          last < epoch ? IDLE : { at: 'answered', from, epoch, answer: { home, epoch: last, moving } },
        ),
      });
      if (bug === 'abortAfterCommit')
        steps.push({
          text: () => `a mover heard nothing, gives up and takes the fence of ${SIDE_NAMES[from]} away`,
          state: become(IDLE, withSide(state, from, { home: from, moving: false })),
        });
    } else if (mover.at === 'drained') {
      steps.push(decision(state, mover, 'commit', bug, become));
    } else if (mover.at === 'fenced') {
      if (bug === 'undrained' || isDrained(state, from) || !isFenced(state, from, epoch))
        steps.push({
          text: () =>
            `a mover sees that ${SIDE_NAMES[from]} is drained, or no longer fenced in epoch ${epoch}`,
          state: become({ at: 'drained', from, epoch }),
        });
      steps.push(decision(state, mover, 'give up', bug, become));
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

function isFenced({ sides }: State, side: SideId, epoch: number): boolean {
  return sides[side].moving && sides[side].epoch === epoch;
}

/**
 * The one instant at which the handover is done, or given up: the row at the new home takes an epoch that is not below it, and only once. Giving up takes the next
 * epoch, so that a commit of this one comes too late.
 */
function decision(
  state: State,
  { from, epoch }: { from: SideId; epoch: number },
  what: 'commit' | 'give up',
  bug: Bug | null,
  become: (next: Mover, from: State) => State,
): Step {
  const to = other(from);
  const { [to]: before } = state.sides;
  // Without a new epoch there is only the home to ask for.
  const isFirst =
    bug === 'commitUnguarded' || (bug === 'epochKept' ? before.home === from : before.epoch < epoch);
  const answer =
    what === 'commit' ? { home: to, epoch } : { home: from, epoch: bug === 'epochKept' ? epoch : epoch + 1 };
  return {
    text: () =>
      `${what === 'commit' ? 'commit point' : 'given up'}: ${SIDE_NAMES[to]} notes home ${SIDE_NAMES[answer.home]}, epoch ${answer.epoch}, unless it has epoch ${epoch} or a later one`,
    state: become(
      { at: 'decided', from, epoch },
      isFirst ? withSide(state, to, { ...answer, moving: false }) : state,
    ),
  };
}

/** A new home that is fenced already for the way back names the other side, without having decided for it: that it could be fenced shows that it was home. */
function finalised(
  state: State,
  { from, epoch, answer }: { from: SideId; epoch: number; answer: Answer },
  bug: Bug | null,
): State {
  if (!isFenced(state, from, epoch) && bug !== 'finaliseUnchecked') return state;
  return answer.moving && bug !== 'laterAnswer'
    ? withSide(state, from, { home: other(from), epoch, moving: false })
    : withSide(state, from, { ...answer, moving: false });
}
