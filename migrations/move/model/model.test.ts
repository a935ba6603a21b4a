import assert from 'node:assert/strict';
import { BUGS, type Bug } from './bugs.ts';
import { search, type Found } from './search.ts';

/** The invariant that notices each bug first. A bug without an entry is a type error. */
const NOTICED: Record<Bug, RegExp> = {
  noFenceLock: /acknowledged write .* is lost/,
  drainBeforeFence: /acknowledged write .* is lost/,
  noVersionGuard: /is clean at old, but new does not have it/,
  blindClear: /is clean at old, but new does not have it/,
  abortAfterCommit: /two homes/,
  snapshotFence: /acknowledged write .* is lost/,
  laterAnswer: /acknowledged write .* is lost/,
  finaliseUnchecked: /the epoch of old fell/,
  commitUnguarded: /two homes|the epoch of new fell/,
  epochKept: /two homes/,
  markApart: /two contents/,
  tombstoneDropped: /a version of . was issued that is not above the last/,
  tornRead: /two contents/,
  asyncCommit: /acknowledged write .* is lost/,
  syncMarks: /A is dirty at old, but new has a newer version/,
  backfillUnchecked: /acknowledged write .* is lost/,
  undrained: /acknowledged write .* is lost/,
  countRestarts: /a version of . was issued that is not above the last/,
  neverTakenUp: /at rest the sides do not agree on the home/,
};

/** MODEL_TRACES=1 prints the shortest way to each bug. */
function tell({ states, depth, broken }: Found): void {
  const trace = process.env['MODEL_TRACES'] && broken ? [...broken.trace, broken.invariant] : [];
  for (const line of [`${states} states, ${depth} steps deep`, ...trace])
    process.stdout.write(`      ${line}\n`);
}

describe('the model of the move', function () {
  // Seconds of plain computing, on a machine that may have other things to do.
  this.timeout(120_000);

  for (const [what, bounds] of [
    ['two writes around a handover that may be given up', { writes: 3, handovers: 1 }],
    ['a write, there and back again', { writes: 2, handovers: 2 }],
  ] as const)
    it(`breaks no invariant in any order of steps and kills: ${what}`, () => {
      const found = search(bounds);
      tell(found);
      assert.equal(found.broken, null, JSON.stringify(found.broken, null, 2));
      // A model that stands still would be right as well.
      assert.ok(found.states > 50_000, `${found.states} states`);
    });

  for (const bug of Object.keys(BUGS) as Bug[])
    it(`finds ${bug}: ${BUGS[bug]}`, () => {
      const found = search({ writes: 3, handovers: 2 }, bug);
      tell(found);
      assert.match(found.broken?.invariant ?? 'nothing was found', NOTICED[bug]);
    });
});
