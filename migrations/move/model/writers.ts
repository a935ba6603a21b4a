import type { Bug } from './bugs.ts';
import type { Step } from './steps.ts';
import {
  IDLE,
  KEYS,
  KEY_NAMES,
  SIDES,
  SIDE_NAMES,
  isLocked,
  replaced,
  withIssued,
  withRow,
  withSide,
  type KeyId,
  type Row,
  type SideId,
  type State,
  type Writer,
} from './state.ts';

/**
 * A client's transaction. Between the fence (shared lock, then the fresh look at the home) and the mark nothing can come that matters,
 * as the lock is held; so they are one step, and only what happens before the commit is apart. A refused write is no step: nothing was done.
 */
export function writerSteps(state: State, bug: Bug | null, writes: number): Step[] {
  const steps: Step[] = [];
  const { writers, sides } = state;
  const taken = state.acked[0] + state.acked[1] + writers.filter(({ at }) => at === 'written').length;
  for (const index of [0, 1] as const) {
    const writer = writers[index];
    // Two idle writers are alike.
    if (writer.at === 'idle' && index === 1 && writers[0].at === 'idle') continue;
    const become = (next: Writer, from = state): State => ({
      ...from,
      writers: replaced(from.writers, index, next),
    });
    if (writer.at === 'written') {
      steps.push(commit(state, writer, bug, (from) => become(IDLE, from)));
      if (bug !== 'markApart')
        steps.push({
          text: () => `a client of ${SIDE_NAMES[writer.side]} is gone, its transaction with it`,
          state: become(IDLE),
          isFailure: true,
        });
      continue;
    }
    for (const side of SIDES) {
      if (writer.at === 'begun' && writer.side !== side) continue;
      const { home, epoch } = sides[side];
      // One snapshot at a time: one that still holds lets pass what the fresh look lets pass, and one that does not refuses.
      const hasSnapshot = writers.some(({ at }) => at === 'begun');
      if (writer.at === 'idle' && !hasSnapshot && home === side && taken < writes)
        steps.push({
          text: () => `a client of ${SIDE_NAMES[side]} begins a REPEATABLE READ transaction`,
          state: become({ at: 'begun', side, epoch }),
        });
      // FOR SHARE fails on a bucket that was changed since the snapshot; a plain SELECT would show it as it was.
      const passes =
        writer.at === 'begun'
          ? bug === 'snapshotFence' || (home === side && epoch === writer.epoch)
          : home === side;
      if (passes && taken < writes) steps.push(...marks(state, side, become, bug));
    }
    if (writer.at === 'begun')
      steps.push({ text: () => 'a transaction that wrote nothing ends', state: become(IDLE) });
  }
  return steps;
}

function marks(
  state: State,
  side: SideId,
  become: (next: Writer, from: State) => State,
  bug: Bug | null,
): Step[] {
  const steps: Step[] = [];
  for (const key of KEYS) {
    if (isLocked(state, side, key)) continue;
    const before = state.sides[side].rows[key];
    for (const deleted of [false, true]) {
      if (deleted && (before === null || before.deleted)) continue;
      const row: Row = {
        epoch: state.sides[side].epoch,
        n: (bug === 'countRestarts' && before?.deleted ? 0 : (before?.n ?? 0)) + 1,
        writes: before?.writes ?? 0,
        deleted,
        dirty: true,
      };
      const marked =
        bug === 'markApart' && before ? withRow(state, side, key, { ...before, ...version(row) }) : state;
      steps.push({
        text: () =>
          `a client ${deleted ? 'deletes' : 'writes'} ${KEY_NAMES[key]} at ${SIDE_NAMES[side]} as (${row.epoch}, ${row.n}), uncommitted`,
        state: become({ at: 'written', side, key, row }, marked),
      });
    }
  }
  return steps;
}

function version({ epoch, n }: Row): Pick<Row, 'epoch' | 'n' | 'dirty'> {
  return { epoch, n, dirty: true };
}

function commit(
  state: State,
  { side, key, row }: { side: SideId; key: KeyId; row: Row },
  bug: Bug | null,
  released: (from: State) => State,
): Step {
  const { rows, disk } = state.sides[side];
  const dirty = bug === 'markApart' ? (rows[key]?.dirty ?? true) : true;
  const written: Row = { ...row, writes: row.writes | (1 << state.acked[key]), dirty };
  const next = withRow(state, side, key, written);
  return {
    text: () =>
      `${SIDE_NAMES[side]} commits ${KEY_NAMES[key]} (${row.epoch}, ${row.n}): the client has its answer`,
    state: released({
      ...(bug === 'asyncCommit' ? withSide(next, side, { disk: disk ?? rows }) : next),
      acked: replaced(state.acked, key, state.acked[key] + 1),
      issued: withIssued(state, key, written).issued,
    }),
  };
}
