import assert from 'node:assert/strict';
import supertest from 'supertest';
import type { JournalJson, LiveJson, MoveJson, StatusJson } from './protocol.ts';
import type { MoveEntry } from '../journal/journal.ts';
import { startAdmin, type AdminBed } from './testbed.ts';

/** A report as a runner makes it. */
const report = (more: object = {}): Record<string, unknown> => ({
  name: 'images',
  sides: { from: 'monolith', to: 'image-api' },
  phase: 'ramp',
  percent: 25,
  buckets: { all: 1024, atOld: 766, atNew: 256, moving: 2 },
  rows: { all: 1000, known: 1000 },
  waiting: {
    monolith: { rows: 3, lag: 12.5, parked: 1 },
    'image-api': { rows: 0, lag: 0, parked: 0 },
  },
  parked: [
    {
      side: 'monolith',
      key: '["7"]',
      b: 12,
      reason: 'value too long',
      since: '2026-01-01T00:00:00.000Z',
      retryAt: '2026-01-01T00:00:05.000Z',
    },
  ],
  verifiedAgo: 60_000,
  corrupt: null,
  rowsPerSecond: 0,
  secondsLeft: null,
  ...more,
});

describe('moves on the admin port', () => {
  let bed: AdminBed;
  beforeEach(async () => (bed = await startAdmin()));
  afterEach(() => bed.close());

  const call = (method: 'get' | 'put' | 'post', path: string): supertest.Test =>
    supertest(bed.url)[method](path).set('authorization', `Bearer ${bed.token}`);
  const put = (body: object | string = report(), name = 'images'): supertest.Test =>
    call('put', `/api/moves/${name}`).type('json').send(body);
  const one = async (name = 'images'): Promise<MoveJson> =>
    (await call('get', `/api/moves/${name}`).expect(200)).body as MoveJson;
  /** Oldest first. */
  const journal = async (): Promise<MoveEntry[]> => {
    const { body } = await call('get', '/api/journal?move=images').expect(200);
    return (body as JournalJson<MoveEntry>).entries.toReversed();
  };

  it('need the token, each of them', async () => {
    for (const [method, path] of [
      ['get', '/api/moves'],
      ['get', '/api/moves/images'],
      ['put', '/api/moves/images'],
      ['post', '/api/moves/images/retry'],
      ['post', '/api/moves/images/notes'],
    ] as const)
      await supertest(bed.url)[method](path).expect(401);
  });

  it('are shown as their runner told them last', async () => {
    assert.deepEqual((await put().expect(200)).body, { retry: null });
    await put(report({ percent: 30 })).expect(200);
    const { percent, buckets, parked, silentSince, heardAt } = await one();
    assert.deepEqual([percent, buckets.atNew, silentSince], [30, 256, null]);
    assert.deepEqual(
      parked.map(({ key, reason }) => [key, reason]),
      [['["7"]', 'value too long']],
    );
    assert.equal(heardAt, '2026-01-01T00:00:00.000Z');
    const { moves } = (await call('get', '/api/status').expect(200)).body as StatusJson;
    assert.deepEqual([moves.length, moves[0]!.name, 'parked' in moves[0]!], [1, 'images', false]);
    assert.equal(((await call('get', '/api/moves')).body as { moves: MoveJson[] }).moves[0]!.percent, 30);
    await call('get', '/api/moves/nothing').expect(404);
  });

  it('are in the stream of events', async () => {
    await put().expect(200);
    const response = await fetch(`${bed.url}/api/events`, {
      headers: { authorization: `Bearer ${bed.token}` },
    });
    const reader = response.body!.getReader();
    let text = '';
    while (!text.includes('\n\n')) text += new TextDecoder().decode((await reader.read()).value);
    await reader.cancel();
    const { moves } = JSON.parse(/data: (.*)/.exec(text)![1]!) as LiveJson;
    assert.deepEqual([moves[0]!.name, moves[0]!.phase], ['images', 'ramp']);
  });

  it('say since when no runner has been heard of', async () => {
    await put().expect(200);
    bed.clock.now += 9_000;
    assert.equal((await one()).silentSince, null);
    bed.clock.now += 2_000;
    assert.equal((await one()).silentSince, '2026-01-01T00:00:00.000Z');
    await put().expect(200);
    assert.equal((await one()).silentSince, null);
  });

  it('are journalled where phase, share or the finding changes, and nowhere else', async () => {
    const steps = [
      { phase: 'backfill', percent: 0 },
      { phase: 'verify', percent: 0 },
      { phase: 'ramp', percent: 0 },
      { phase: 'ramp', percent: 50 },
      { phase: 'ramp', percent: 50, corrupt: 'key ["7"]: one version, but alt differ' },
      { phase: 'ramp', percent: 50 },
    ];
    for (const step of steps)
      for (const rowsPerSecond of [1, 2, 3]) await put(report({ ...step, rowsPerSecond })).expect(200);
    const entries = await journal();
    assert.deepEqual(
      entries.map(({ who, action, why }) => `${who} ${action}: ${why}`),
      [
        'mover found: its runner reports for the first time: backfill',
        'mover phase: from backfill to verify',
        'mover phase: from verify to ramp',
        'mover share: 50 % of the buckets are wanted at image-api, before it was 0 %',
        'mover differ: the sides differ: key ["7"]: one version, but alt differ',
        'mover agree: no difference of the sides is recorded any more',
      ],
    );
    assert.deepEqual(
      [entries[3]!.before!.percent, entries[3]!.after!.percent, entries[4]!.after!.corrupt === null],
      [0, 50, false],
    );
    const { body } = await call('get', '/api/journal?feature=images');
    assert.ok((body as JournalJson).entries.every((entry) => !('move' in entry)));
  });

  it('hand a wish to try rows again to the next runner that reports, once', async () => {
    await call('post', '/api/moves/images/retry').send({ why: 'the constraint is gone' }).expect(404);
    await put().expect(200);
    const retry = (body: object): supertest.Test => call('post', '/api/moves/images/retry').send(body);
    const { body } = await retry({ key: '["7"]', why: 'the constraint is gone', who: 'ana' }).expect(200);
    assert.deepEqual((body as MoveJson).retry, ['["7"]']);
    await retry({ key: '["8"]', why: 'this one too' }).expect(200);
    assert.deepEqual((await put()).body, { retry: ['["7"]', '["8"]'] });
    assert.deepEqual((await put()).body, { retry: null });
    await retry({ key: '["7"]', why: 'one' }).expect(200);
    await retry({ why: 'and all the others' }).expect(200);
    assert.deepEqual((await put()).body, { retry: 'all' });
    const asked = (await journal()).filter(({ action }) => action === 'retry');
    assert.deepEqual(
      [asked.length, asked[0]!.who, asked[0]!.why],
      [4, 'ana', 'the constraint is gone (["7"])'],
    );
    for (const wrong of [{}, { why: '' }, { why: 'x', key: '' }, { why: 'x', all: true }])
      await retry(wrong).expect(400);
  });

  it('take what a person did past the router into the journal', async () => {
    await put(report({ corrupt: 'key ["7"]: word differ' })).expect(200);
    await call('post', '/api/moves/images/notes')
      .send({ action: 'clear', why: 'the row was written anew', who: 'ana' })
      .expect(200);
    await put().expect(200);
    const entries = await journal();
    assert.deepEqual(
      entries.map(({ action, who }) => [action, who]),
      [
        ['found', 'mover'],
        ['clear', 'ana'],
      ],
    );
    assert.equal(entries[1]!.after!.corrupt, null);
    await call('post', '/api/moves/images/notes').send({ action: 'drop', why: 'x' }).expect(400);
  });

  it('are refused when they are not what a runner says', async () => {
    for (const [wrong, said] of [
      [{ phase: 'DROP TABLE' }, /phase/],
      [{ percent: 101 }, /percent/],
      [{ corrupt: 7 }, /corrupt/],
      [{ sides: { from: 'monolith', to: 'a b' } }, /sides\.to/],
      [{ waiting: { a: null } }, /waiting\.a/],
      [{ buckets: {} }, /buckets\.all/],
      [
        { waiting: Object.fromEntries(['a', 'b', 'c'].map((s) => [s, { rows: 0, lag: 0, parked: 0 }])) },
        /two sides/,
      ],
      [{ parked: Array.from({ length: 101 }, () => (report()['parked'] as object[])[0]) }, /parked/],
      [{ parked: [{ side: 'a', key: 'x'.repeat(1001), reason: '', since: '', retryAt: '' }] }, /parked\.0/],
    ] as const) {
      const { body } = await put(report(wrong)).expect(400);
      assert.match((body as { detail: string }).detail, said);
    }
    await put('{').expect(400);
    await put(report({ more: 'x'.repeat(1_100_000) })).expect(413);
    await put(report({ more: { of: 'a newer runner' } })).expect(200);
    assert.ok(!('more' in (await one())));
    for (const name of ['Images', '1', 'a'.repeat(41), '%2e%2e', 'a b'])
      await put(report(), name).expect(400);
    // Of a hundred rows with the longest keys and reasons there is room enough.
    const longest = { key: '\u{1f600}'.repeat(500), reason: '\u{1f600}'.repeat(500) };
    const full = Array.from({ length: 100 }, () => ({ ...(report()['parked'] as object[])[0], ...longest }));
    await put(report({ parked: full })).expect(200);
  });

  it('are so many at most; one that no runner tells of any more makes room', async () => {
    for (let count = 0; count < 32; count++) await put(report(), `move_${count}`).expect(200);
    const { body } = await put(report(), 'one_more').expect(409);
    assert.equal((body as { code: string }).code, 'TOO_MANY_MOVES');
    await put(report(), 'move_3').expect(200);
    bed.clock.now += 11_000;
    await put(report(), 'one_more').expect(200);
    assert.equal(((await call('get', '/api/moves')).body as { moves: MoveJson[] }).moves.length, 32);
  });
});
