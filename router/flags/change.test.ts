import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadCurrent } from './current.ts';
import { plainSplit, type Json } from './targeting.ts';
import { house as build, type House } from './testbed.ts';
import { etagOf } from './view.ts';

const COHORT: Json = {
  if: [{ '==': [{ var: 'host' }, 'beta'] }, 'image-api', plainSplit('image-api', 'monolith', 30)],
};

describe('changing a flag', () => {
  const open: (() => void)[] = [];
  afterEach(() => open.splice(0).forEach((close) => close()));

  const house = (options: Parameters<typeof build>[0] = {}): House => {
    const built = build(options);
    open.push(built.close);
    return built;
  };

  const flagIn = (dir: string): Record<string, Json> =>
    (JSON.parse(readFileSync(join(dir, 'flags.json'), 'utf8')) as { flags: { images: Record<string, Json> } })
      .flags.images;

  it('writes the file, applies it and journals it once', async () => {
    const { dir, journal, act } = house();
    assert.deepEqual(await act({ kind: 'shift', percent: 25 }), {
      stage: 'canary',
      percent: 25,
      state: 'ENABLED',
      ramp: 'none',
    });
    assert.deepEqual(flagIn(dir)['targeting'], plainSplit('image-api', 'monolith', 25));
    assert.deepEqual(
      journal.entries().map(({ who, why, action, ungated, before, after }) => ({
        who,
        why,
        action,
        ungated,
        from: before?.percent,
        to: after.percent,
      })),
      [{ who: 'ana', why: 'because', action: 'shift', ungated: true, from: 0, to: 25 }],
    );
    assert.deepEqual(journal.open(), []);
  });

  it('wants the ETag that is current', async () => {
    const { act, code, current } = house();
    const first = etagOf(current.snapshot().features.get('images')!);
    assert.equal(await code({ kind: 'shift', percent: 1 }, null), 'NO_PRECONDITION');
    await act({ kind: 'shift', percent: 1 }, first);
    assert.equal(await code({ kind: 'shift', percent: 2 }, first), 'STALE');
    assert.equal(await code({ kind: 'shift', percent: 2 }, '*'), 'done');
  });

  it('sees an edit by hand that nobody has read yet', async () => {
    const { dir, code, current } = house();
    const first = etagOf(current.snapshot().features.get('images')!);
    const path = join(dir, 'flags.json');
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace(
        '["image-api",0],["monolith",100]',
        '["image-api",7],["monolith",93]',
      ),
    );
    assert.equal(await code({ kind: 'shift', percent: 50 }, first), 'STALE');
    assert.equal(current.snapshot().features.get('images')!.flag.percent, 7);
  });

  it('goes forward one step at a time and back any', async () => {
    const { act, code } = house({ stage: 'off' });
    assert.equal(await code({ kind: 'shift', percent: 5 }), 'REFUSED_BY_STAGE');
    assert.equal((await act({ kind: 'promote' })).stage, 'shadow');
    assert.deepEqual(await act({ kind: 'promote' }), {
      stage: 'canary',
      percent: 0,
      state: 'ENABLED',
      ramp: 'none',
    });
    await act({ kind: 'shift', percent: 60 });
    assert.deepEqual(await act({ kind: 'promote' }), {
      stage: 'live',
      percent: 100,
      state: 'ENABLED',
      ramp: 'none',
    });
    assert.equal(await code({ kind: 'promote' }), 'REFUSED_BY_GATE');
    assert.equal(await code({ kind: 'rollback', to: 'retired' }), 'REFUSED_BY_STAGE');
    assert.deepEqual(await act({ kind: 'rollback', to: null }), {
      stage: 'canary',
      percent: 0,
      state: 'ENABLED',
      ramp: 'none',
    });
    assert.equal((await act({ kind: 'rollback', to: 'off' })).stage, 'off');
  });

  it('takes cohorts out at a rollback and puts them back with the next shift', async () => {
    const { dir, act, current } = house({ targeting: COHORT });
    const sideOfBeta = (): string | null =>
      current.snapshot().features.get('images')!.flag.evaluate({ targetingKey: 'k', host: 'beta' }).upstream;
    assert.equal(sideOfBeta(), 'image-api');
    assert.equal((await act({ kind: 'rollback', to: null })).percent, 0);
    assert.equal(sideOfBeta(), 'monolith');
    assert.equal((await act({ kind: 'shift', percent: 40 })).percent, 40);
    assert.equal(sideOfBeta(), 'image-api');
    assert.equal((flagIn(dir)['metadata'] as Record<string, Json>)['targetingSetAside'], undefined);
  });

  it('does not go back to an upstream that has the data no more', async () => {
    const { act, code, journal } = house({ stage: 'canary', data: 'own', ramp: 'running' });
    await act({ kind: 'shift', percent: 40 });
    for (const action of [
      { kind: 'kill' },
      { kind: 'rollback', to: null },
      { kind: 'rollback', to: 'off' },
      { kind: 'shift', percent: 39 },
      { kind: 'stepBack', percent: 1, numbers: null },
    ] as const)
      assert.equal(await code(action), 'REFUSED_BY_DATA', action.kind);
    assert.equal((await act({ kind: 'shift', percent: 100 })).percent, 100);
    assert.equal((await act({ kind: 'promote' })).stage, 'live');
    assert.equal(await code({ kind: 'kill' }), 'REFUSED_BY_DATA');
    assert.deepEqual(
      journal.entries().map(({ action }) => action),
      ['shift', 'shift', 'promote'],
    );
    assert.equal((await house({ data: 'moving' }).act({ kind: 'kill' })).state, 'DISABLED');
  });

  it('kills and resumes, each as often as wanted', async () => {
    const { act, journal } = house();
    await act({ kind: 'shift', percent: 30 });
    assert.deepEqual(await act({ kind: 'kill' }), {
      stage: 'canary',
      percent: 30,
      state: 'DISABLED',
      ramp: 'none',
    });
    await act({ kind: 'kill' });
    assert.deepEqual(await act({ kind: 'resume' }), {
      stage: 'canary',
      percent: 30,
      state: 'ENABLED',
      ramp: 'none',
    });
    await act({ kind: 'resume' });
    assert.deepEqual(
      journal.entries().map((entry) => entry.action),
      ['shift', 'kill', 'resume'],
    );
  });

  it('kills from the state folder when the file is not ours to write', async () => {
    const { dir, act, code, current } = house({ writable: false });
    const before = readFileSync(join(dir, 'flags.json'), 'utf8');
    assert.equal(await code({ kind: 'shift', percent: 1 }), 'NOT_WRITABLE');
    assert.equal((await act({ kind: 'kill' })).state, 'DISABLED');
    assert.equal(readFileSync(join(dir, 'flags.json'), 'utf8'), before);
    assert.equal(
      loadCurrent(join(dir, 'strangler.yaml'), dir, {}).snapshot().features.get('images')!.killed,
      true,
      'a restart keeps the kill',
    );
    assert.equal((await act({ kind: 'resume' })).state, 'ENABLED');
    assert.equal(current.snapshot().features.get('images')!.killed, false);
  });

  it('kills while the file is broken, and changes nothing else then', async () => {
    const { dir, act, code, current } = house();
    writeFileSync(join(dir, 'flags.json'), '{ "flags": ');
    assert.equal(await code({ kind: 'shift', percent: 1 }), 'NOT_WRITABLE');
    assert.equal((await act({ kind: 'kill' })).state, 'DISABLED');
    assert.equal(current.status().flags.state, 'rejected');
    assert.equal(current.status().config.state, 'applied');
  });
});
