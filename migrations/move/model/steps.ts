import type { Bug } from './bugs.ts';
import { moverSteps } from './movers.ts';
import { IDLE, SIDES, SIDE_NAMES, withSide, type SideId, type State, type Writer } from './state.ts';
import { syncSteps } from './sync.ts';
import { writerSteps } from './writers.ts';

/** One thing that can happen, and what is then. */
export interface Step {
  /** For traces only, and so not made before it is asked for. */
  readonly text: () => string;
  readonly state: State;
  /** A kill or a crash: it may happen, but nobody may count on it to go on. */
  readonly isFailure?: boolean;
}

/** How far the model goes. */
export interface Bounds {
  /** Writes in all, with the one that was there before. */
  readonly writes: number;
  /** Handovers in all, to and fro. */
  readonly handovers: number;
}

/** Everything that can happen next. */
export function stepsFrom(state: State, bounds: Bounds, bug: Bug | null): Step[] {
  return [
    ...writerSteps(state, bug, bounds.writes),
    ...syncSteps(state, bug),
    ...moverSteps(state, bug, 1 + bounds.handovers),
    ...SIDES.flatMap((side) => serverSteps(state, side)),
  ];
}

/** The database itself: it crashes, and open transactions are gone with what was not on the disk. */
function serverSteps(state: State, side: SideId): Step[] {
  const { rows, disk } = state.sides[side];
  const isHere = (writer: Writer): boolean => writer.at !== 'idle' && writer.side === side;
  const survivor = (writer: Writer): Writer => (isHere(writer) ? IDLE : writer);
  const steps: Step[] = [];
  if (disk || state.writers.some(isHere))
    steps.push({
      text: () => `the database of ${SIDE_NAMES[side]} crashes and comes back`,
      state: {
        ...withSide(state, side, { rows: disk ?? rows, disk: null }),
        writers: [survivor(state.writers[0]), survivor(state.writers[1])],
      },
      isFailure: true,
    });
  if (disk)
    steps.push({
      text: () => `${SIDE_NAMES[side]} writes its log to the disk`,
      state: withSide(state, side, { disk: null }),
    });
  return steps;
}
