import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEtcd, type Etcd, type KeyValue } from '../etcd/client.ts';
import { createEtcdJournal, type EtcdJournal } from './etcd-journal.ts';

describe('the copy of the common journal', () => {
  let stateDir: string;
  let etcd: Etcd;
  let journal: EtcdJournal;
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'journal-'));
    // Nobody is asked: what etcd says is told to the journal.
    etcd = createEtcd({ urls: ['http://127.0.0.1:1'] });
    journal = createEtcdJournal({ etcd, prefix: 'journal/', stateDir, revision: () => 1, me: 'here' });
  });
  afterEach(() => {
    journal.close();
    etcd.close();
    rmSync(stateDir, { recursive: true, force: true });
  });

  const entry = (id: string, created: number): KeyValue => ({
    key: journal.keyOf(created, id),
    value: JSON.stringify({ id, feature: 'images' }),
    created,
    modified: created,
  });
  const take = ({ key, value, created }: KeyValue): void => journal.take(key, value, created);
  const ids = (): string[] => journal.entries().map(({ id }) => id);

  it('keeps what is made while all of it is read, once, and in its place', () => {
    const [first, second, third] = [entry('first', 1), entry('second', 2), entry('third', 3)] as const;
    take(first);
    journal.reading();
    take(third);
    take(second);
    assert.deepEqual(ids(), ['first', 'second', 'third']);
    // Read before the third was made.
    journal.replace([second, first]);
    assert.deepEqual(ids(), ['first', 'second', 'third']);
  });

  it('forgets what was there before, and is not when it is read', () => {
    take(entry('lost', 7));
    journal.reading();
    journal.replace([entry('first', 1)]);
    assert.deepEqual(ids(), ['first']);
    // A reading that failed is followed by another.
    journal.reading();
    take(entry('early', 2));
    journal.reading();
    journal.replace([entry('first', 1)]);
    assert.deepEqual(ids(), ['first']);
  });
});
