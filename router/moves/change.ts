import type { MoveEntry, MoveView } from '../journal/journal.ts';
import type { MoveReport } from './report.ts';

/** Longest finding that is journalled, in characters. */
const MAX_FINDING = 500;

/** What of a report is worth an entry when it changes. */
export function viewOf({ phase, percent, corrupt }: MoveReport): MoveView {
  return { phase, percent, corrupt: corrupt?.slice(0, MAX_FINDING) ?? null };
}

/** What happened between two views of a move, in the words of the journal; null: nothing that is journalled. `newSide` is where its rows go. */
export function changeOf(
  before: MoveView | null,
  after: MoveView,
  newSide: string,
): Pick<MoveEntry, 'action' | 'why'> | null {
  if (before === null)
    return { action: 'found', why: `its runner reports for the first time: ${after.phase}` };
  const happened: Pick<MoveEntry, 'action' | 'why'>[] = [];
  if (after.corrupt !== before.corrupt)
    happened.push(
      after.corrupt === null
        ? { action: 'agree', why: 'no difference of the sides is recorded any more' }
        : { action: 'differ', why: `the sides differ: ${after.corrupt}` },
    );
  if (after.phase !== before.phase)
    happened.push({ action: 'phase', why: `from ${before.phase} to ${after.phase}` });
  if (after.percent !== before.percent)
    happened.push({
      action: 'share',
      why: `${after.percent} % of the buckets are wanted at ${newSide}, before it was ${before.percent} %`,
    });
  const [first] = happened;
  return first ? { action: first.action, why: happened.map(({ why }) => why).join('; ') } : null;
}
