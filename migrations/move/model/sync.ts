import type { Bug } from './bugs.ts';
import type { Step } from './steps.ts';
import {
  IDLE,
  KEYS,
  KEY_NAMES,
  SIDES,
  SIDE_NAMES,
  compareVersions,
  isLocked,
  other,
  replaced,
  withIssued,
  withSide,
  type KeyId,
  type Row,
  type SideId,
  type State,
  type Worker,
} from './state.ts';

/**
 * Sync, both directions: read one dirty row with its content, apply it over there if it is newer, clear dirty if it is still that version. Two
 * workers, so that one may be a zombie that comes late with what the other sent long ago. Each step is a transaction at one side. Backfill is here too: it only marks.
 */
export function syncSteps(state: State, bug: Bug | null): Step[] {
  const steps: Step[] = backfills(state);
  for (const index of [0, 1] as const) {
    const worker = state.workers[index];
    const become = (next: Worker, from = state): State => ({
      ...from,
      workers: replaced(from.workers, index, next),
    });
    if (worker.at === 'idle') {
      if (index === 0 || state.workers[0].at !== 'idle') steps.push(...reads(state, bug, become));
      continue;
    }
    steps.push({ text: () => 'a worker of the sync is killed', state: become(IDLE), isFailure: true });
    const { from, key, row } = worker;
    const what = `${KEY_NAMES[key]} (${row.epoch}, ${row.n})`;
    if (worker.at === 'torn') {
      const now = state.sides[from].rows[key];
      const { epoch, n } = now ?? row;
      steps.push({
        text: () => `the sync reads what version ${SIDE_NAMES[from]} has of ${KEY_NAMES[key]} by now`,
        state: become({ at: 'read', from, key, row: { ...row, epoch, n } }),
      });
    } else if (worker.at === 'read') {
      // Whoever holds the row's lock is waited for; then what is there now is compared.
      if (isLocked(state, other(from), key)) continue;
      steps.push({
        text: () => `the sync applies ${what} at ${SIDE_NAMES[other(from)]}, if it is newer`,
        state: become({ at: 'applied', from, key, row }, applied(state, other(from), key, row, bug)),
      });
    } else {
      if (isLocked(state, from, key)) continue;
      steps.push({
        text: () => `the sync clears dirty at ${SIDE_NAMES[from]}, if ${what} is still there`,
        state: become(IDLE, cleared(state, from, key, row, bug)),
      });
    }
  }
  return steps;
}

function reads(state: State, bug: Bug | null, become: (next: Worker) => State): Step[] {
  const steps: Step[] = [];
  for (const from of SIDES)
    for (const key of KEYS) {
      const row = state.sides[from].rows[key];
      if (!row?.dirty) continue;
      steps.push({
        text: () =>
          `the sync reads ${KEY_NAMES[key]} (${row.epoch}, ${row.n}) at ${SIDE_NAMES[from]}${bug === 'tornRead' ? '; its content only' : ''}`,
        state: become({ at: bug === 'tornRead' ? 'torn' : 'read', from, key, row }),
      });
    }
  return steps;
}

function applied(state: State, to: SideId, key: KeyId, row: Row, bug: Bug | null): State {
  if (bug !== 'noVersionGuard' && compareVersions(row, state.sides[to].rows[key]) <= 0) return state;
  if (bug === 'tombstoneDropped' && row.deleted) return flushedRow(state, to, key, null);
  return flushedRow(
    state,
    to,
    key,
    bug === 'syncMarks' ? { ...row, n: row.n + 1, dirty: true } : { ...row, dirty: false },
  );
}

function cleared(state: State, from: SideId, key: KeyId, row: Row, bug: Bug | null): State {
  const now = state.sides[from].rows[key];
  if (now === null || (bug !== 'blindClear' && compareVersions(now, row) !== 0)) return state;
  return flushedRow(
    state,
    from,
    key,
    bug === 'tombstoneDropped' && now.deleted ? null : { ...now, dirty: false },
  );
}

/** The sync's own commits wait for the disk, and with them everything before. */
function flushedRow(state: State, side: SideId, key: KeyId, row: Row | null): State {
  return withSide(state, side, { rows: replaced(state.sides[side].rows, key, row), disk: null });
}

function backfills(state: State): Step[] {
  return SIDES.flatMap((side) =>
    KEYS.flatMap((key) => {
      const row = state.sides[side].rows[key];
      if (row?.epoch !== 0 || isLocked(state, side, key)) return [];
      const marked: Row = { ...row, epoch: state.sides[side].epoch, n: 1, dirty: true };
      return {
        text: () =>
          `the backfill marks ${KEY_NAMES[key]} at ${SIDE_NAMES[side]} as (${marked.epoch}, ${marked.n})`,
        state: withIssued(flushedRow(state, side, key, marked), key, marked),
      };
    }),
  );
}
