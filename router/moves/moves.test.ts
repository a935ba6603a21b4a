import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournal } from '../journal/journal.ts';
import { createMoves } from './moves.ts';
import type { MoveReport } from './report.ts';

const report = (phase: string, corrupt: string | null = null): MoveReport => ({
  sides: { from: 'monolith', to: 'image-api' },
  phase,
  percent: 0,
  buckets: { all: 1024, atOld: 1024, atNew: 0, moving: 0 },
  rows: { all: 0, known: 0 },
  waiting: {},
  parked: [],
  verifiedAgo: null,
  corrupt,
  rowsPerSecond: 0,
  secondsLeft: null,
});

describe('moves that are reported', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'moves-'))));
  afterEach(() => rmSync(dir, { recursive: true }));

  it('go on from the journal when the router is started again: what changed meanwhile is an entry, what did not is none', () => {
    const told = (...reports: MoveReport[]): string[] => {
      const journal = openJournal(join(dir, 'journal.jsonl'));
      const moves = createMoves({ journal, now: Date.now });
      for (const one of reports) moves.report('images', one);
      const actions = journal.history().map(({ action }) => action);
      journal.close();
      return actions;
    };
    assert.deepEqual(told(report('backfill')), ['found']);
    assert.deepEqual(told(report('backfill')), ['found']);
    assert.deepEqual(told(report('verify')), ['found', 'phase']);
    const long = 'x'.repeat(5000);
    assert.deepEqual(told(report('verify', long), report('verify', long)), ['found', 'phase', 'differ']);
    assert.deepEqual(told(report('verify', long)), ['found', 'phase', 'differ']);
    assert.deepEqual(told(report('ramp')), ['found', 'phase', 'differ', 'agree']);
  });

  it('are over for a pair of sides when one is complete and none is under way between the two', () => {
    const journal = openJournal(join(dir, 'journal.jsonl'));
    const moves = createMoves({ journal, now: Date.now });
    const isOver = (): boolean => moves.areOver('monolith', 'image-api');
    assert.equal(isOver(), false);
    moves.report('images', report('soak'));
    assert.equal(isOver(), false);
    moves.report('images', report('complete'));
    assert.equal(isOver(), true);
    assert.equal(moves.areOver('monolith', 'email-api'), false);
    moves.report('albums', report('ramp'));
    assert.equal(isOver(), false);
    moves.report('albums', report('complete'));
    moves.report('images', { ...report('complete'), sides: { from: 'image-api', to: 'monolith' } });
    assert.equal(isOver(), false, 'it has come back');
    journal.close();
  });

  it('wait with so many keys at most; then all rows are tried', () => {
    const journal = openJournal(join(dir, 'journal.jsonl'));
    const moves = createMoves({ journal, now: Date.now });
    moves.report('images', report('ramp'));
    const asked = { who: 'ana', why: 'a test' };
    for (let key = 0; key < 100; key++) moves.retry('images', `["${key}"]`, asked);
    moves.retry('images', '["5"]', asked);
    assert.equal(moves.one('images').retry?.length, 100);
    moves.retry('images', '["100"]', asked);
    assert.deepEqual(moves.report('images', report('ramp')), { retry: 'all' });
    journal.close();
  });
});
