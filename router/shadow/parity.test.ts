import assert from 'node:assert/strict';
import type { Mismatch } from './mismatches.ts';
import { createParity } from './parity.ts';

const LIMITS = { kept: 10, keptPerKind: 3, keptPictures: 2 };

const mismatch = (id: string, more: Partial<Mismatch> = {}): Mismatch => ({
  id,
  at: '2026-01-01T00:00:00.000Z',
  method: 'GET',
  path: `/images/${id}`,
  route: 'GET /images/{id}',
  primary: 'monolith',
  shadow: 'image-api',
  kind: 'json',
  place: '$.a',
  differences: [],
  hasPictures: false,
  ...more,
});

const ids = (mismatches: readonly Mismatch[]): string[] => mismatches.map(({ id }) => id);

describe('parity', () => {
  it('keeps the newest of each kind and place, so that a frequent one does not push out a rare one', () => {
    const parity = createParity(LIMITS, { remove: () => undefined });
    parity.mismatch('images', mismatch('rare', { kind: 'status', place: 'status' }));
    for (let at = 0; at < 50; at++) parity.mismatch('images', mismatch(`often${at}`));
    assert.deepEqual(ids(parity.of('images').mismatches), ['often49', 'often48', 'often47', 'rare']);
    for (let at = 0; at < 50; at++) parity.mismatch('images', mismatch(`place${at}`, { place: `$.${at}` }));
    assert.equal(parity.of('images').mismatches.length, 10);
  });

  it('keeps few pictures, and tells the store of those that are gone', () => {
    const removed: string[] = [];
    const parity = createParity(LIMITS, { remove: (id) => void removed.push(id) });
    for (const id of ['a', 'b', 'c'])
      parity.mismatch('images', mismatch(id, { hasPictures: true, place: id }));
    assert.deepEqual(removed, ['a']);
    assert.deepEqual(ids(parity.of('images').mismatches), ['c', 'b']);
  });

  it('adds up what others hand over, each thing once', () => {
    const removed: string[] = [];
    const worker = createParity(LIMITS, { remove: (id) => void removed.push(id) });
    const control = createParity(LIMITS, { remove: (id) => void removed.push(id) });
    const handOver = (): void => control.add(JSON.parse(JSON.stringify(worker.take())), '1');
    worker.result('images', 'match');
    worker.result('images', 'mismatch');
    worker.drop('images', 'full');
    worker.mismatch('images', mismatch('a', { hasPictures: true }));
    handOver();
    worker.result('images', 'match');
    handOver();
    handOver();
    const { counts, dropped, mismatches } = control.of('images');
    assert.deepEqual(counts, { match: 2, mismatch: 1, ignored: 0, incomparable: 0 });
    assert.deepEqual(dropped, { full: 1 });
    assert.deepEqual(ids(mismatches), ['a']);
    assert.equal(control.find('images', 'a')?.hasPictures, true);
    assert.deepEqual(removed, []);
  });
});
