import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournal, type Entry } from './journal.ts';
import { journalFileEdits, settleIntents, type Seen } from './watch.ts';

const view = (percent: number) => ({ stage: 'canary', percent, state: 'ENABLED', ramp: 'none' });
const entry = (id: string, percent: number): Entry => ({
  id,
  at: '2030-01-01T00:00:00.000Z',
  feature: 'images',
  action: 'shift',
  who: 'ana',
  why: 'because',
  before: view(0),
  after: view(percent),
  fingerprint: `f${percent}`,
  ungated: true,
  numbers: null,
});
const seen = (percent: number): Map<string, Seen> =>
  new Map([['images', { view: view(percent), fingerprint: `f${percent}` }]]);

describe('the journal', () => {
  let dir: string;
  let path: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'journal-'));
    path = join(dir, 'journal.jsonl');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  /** What a process that ended at any moment leaves, seen by the next one. */
  const restart = (
    write: (journal: ReturnType<typeof openJournal>) => void,
  ): ReturnType<typeof openJournal> => {
    const first = openJournal(path);
    write(first);
    first.close();
    return openJournal(path);
  };

  it('lists what is done and keeps apart what is not', () => {
    const journal = restart((first) => {
      first.append({ kind: 'intent', entry: entry('a', 1), flags: { before: 'v0', after: 'v1' } });
      first.append({ kind: 'done', id: 'a' });
      first.append({ kind: 'intent', entry: entry('b', 2), flags: { before: 'v1', after: 'v2' } });
      first.append({ kind: 'aborted', id: 'b', reason: 'x' });
      first.append({ kind: 'intent', entry: entry('c', 3), flags: { before: 'v1', after: 'v3' } });
    });
    assert.deepEqual(
      journal.entries().map(({ id }) => id),
      ['a'],
    );
    assert.deepEqual(
      journal.open().map((intent) => intent.entry.id),
      ['c'],
    );
    journal.close();
  });

  for (const [what, version, percent, expected] of [
    ['before the swap', 'v1', 1, []],
    ['after the swap', 'v3', 3, ['c']],
    ['after the swap and an edit of another flag', 'v9', 3, ['c']],
  ] as const) {
    it(`settles an intent that a crash left ${what}`, () => {
      const journal = restart((first) =>
        first.append({ kind: 'intent', entry: entry('c', 3), flags: { before: 'v1', after: 'v3' } }),
      );
      settleIntents(journal, version, seen(percent));
      assert.deepEqual(journal.open(), []);
      assert.deepEqual(
        journal.entries().map(({ id }) => id),
        expected,
      );
      journal.close();
    });
  }

  it('journals an edit by hand once, as by: file', () => {
    const journal = openJournal(path);
    journalFileEdits(journal, seen(5), 0);
    journalFileEdits(journal, seen(5), 0);
    journalFileEdits(journal, seen(6), 0);
    assert.deepEqual(
      journal.entries().map(({ who, action, after }) => [who, action, after.percent]),
      [
        ['file', 'found', 5],
        ['file', 'edit', 6],
      ],
    );
    journal.close();
  });

  it('drops a last line that a crash cut, and refuses one damaged in the middle', () => {
    restart((first) =>
      first.append({ kind: 'intent', entry: entry('a', 1), flags: { before: '', after: '' } }),
    ).close();
    appendFileSync(path, '{"kind":"do');
    const journal = openJournal(path);
    journal.append({ kind: 'done', id: 'a' });
    journal.close();
    assert.deepEqual(
      restart(() => {})
        .entries()
        .map(({ id }) => id),
      ['a'],
    );
    appendFileSync(path, 'garbage\n');
    assert.throws(() => openJournal(path), /journal.jsonl:3: this line of the journal is damaged/);
  });

  it('is one history for routers that share it', () => {
    const [first, second] = [openJournal(path), openJournal(path)];
    first.append({ kind: 'intent', entry: entry('a', 5), flags: { before: 'v0', after: 'v1' } });
    journalFileEdits(second, seen(5), 0);
    assert.deepEqual(second.entries(), [], 'the other one is about to say that it is done');
    first.append({ kind: 'done', id: 'a' });
    journalFileEdits(second, seen(5), 0);
    second.append({ kind: 'intent', entry: entry('b', 6), flags: { before: 'v1', after: 'v2' } });
    second.append({ kind: 'done', id: 'b' });
    for (const journal of [first, second]) {
      assert.deepEqual(
        journal.entries().map(({ id }) => id),
        ['a', 'b'],
      );
      journal.close();
    }
  });

  it('believes who made a change, not who gave it up at its start', () => {
    const [first, second] = [openJournal(path), openJournal(path)];
    first.append({ kind: 'intent', entry: entry('a', 5), flags: { before: 'v0', after: 'v1' } });
    settleIntents(second, 'v0', seen(0));
    first.append({ kind: 'done', id: 'a' });
    first.append({ kind: 'done', id: 'a' });
    assert.deepEqual(
      [first, second].map((journal) => journal.entries().map(({ id }) => id)),
      [['a'], ['a']],
    );
    for (const journal of [first, second]) journal.close();
  });
});
