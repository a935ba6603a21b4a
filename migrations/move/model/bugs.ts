/** Mistakes that the model can be told to make, each of which somebody has made or would. The value says what comes of it. */
export const BUGS = {
  /** The fence does not wait for the transactions that passed it. */
  noFenceLock: 'a write that commits after the drain is lost',
  /** The home drains first, then fences, and does not look again. */
  drainBeforeFence: 'what is written in between is lost',
  /** The target applies whatever it is sent. */
  noVersionGuard: 'an older version overwrites a newer one',
  /** The source clears dirty without asking whether the version is still what was sent. */
  blindClear: 'what was written since is never sent',
  /** Who gives up a handover takes the fence away, although the new home may have committed. */
  abortAfterCommit: 'two homes',
  /** The home is read by a plain SELECT, in REPEATABLE READ that of the snapshot. */
  snapshotFence: 'writes at a side that is no home',
  /** Who finalises takes a new home that is fenced for the way back for one that gave up. */
  laterAnswer: 'a side is home that was not drained into',
  /** Finalising writes what its mover remembers instead of asking what is there. */
  finaliseUnchecked: 'the epoch falls, and no side is home',
  /** The commit point does not ask for the epoch. */
  commitUnguarded: 'a mover that was asleep makes a second home',
  /** A handover does not raise the epoch. */
  epochKept: 'a mover that was asleep makes a second home',
  /** The mark is committed first, the row in a transaction after it. */
  markApart: 'one version, two contents',
  /** A deletion that has arrived leaves no trace. */
  tombstoneDropped: 'nobody knows any more which versions it had',
  /** The sync reads the content and, in a second snapshot, the version. */
  tornRead: 'one version, two contents',
  /** Commits do not wait for the disk. */
  asyncCommit: 'an acknowledged write is lost in a crash',
  /** Triggers mark what the sync applies. */
  syncMarks: 'versions that no writer made, for ever to and fro',
  /** A bucket is handed over before its rows were backfilled. */
  backfillUnchecked: 'the row that was there before is lost',
  /** The new home commits without asking whether the old one is drained. */
  undrained: 'what is still dirty is lost',
  /** A row that comes back after its deletion begins to count anew. */
  countRestarts: 'a version is issued twice',
  /** Nobody takes up what a killed mover left half done. */
  neverTakenUp: 'no side is home, for ever',
} as const;

export type Bug = keyof typeof BUGS;
