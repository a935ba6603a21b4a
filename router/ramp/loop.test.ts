import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { viewOf } from '../flags/view.ts';
import { journalFileEdits } from '../journal/watch.ts';
import { createHouse, flagsAt, type House } from './testbed.ts';

describe('the ramp loop', () => {
  const open: House[] = [];
  afterEach(() => open.splice(0).forEach((each) => each.close()));
  const house = async (...options: Parameters<typeof createHouse>): Promise<House> => {
    const created = await createHouse(...options);
    open.push(created);
    return created;
  };

  it('does nothing until it is started, and then holds each step', async () => {
    const { act, pass, steps, ramp, feature } = await house(0);
    await pass(100);
    assert.deepEqual([steps(), ramp.view(feature()).state], [[], 'paused']);
    await act({ kind: 'resume' });
    await pass(1);
    assert.deepEqual(steps(), [['step', 0, 1, 'running']]);
    await pass(59);
    assert.equal(feature().flag.percent, 1);
    assert.match(ramp.view(feature()).text, /^holds 1 % for 1 s more/);
    await pass(1);
    assert.equal(feature().flag.percent, 5);
    assert.deepEqual([ramp.view(feature()).step, ramp.view(feature()).state], [1, 'running']);
    await pass(400);
    assert.deepEqual(
      [feature().flag.percent, feature().flag.stage],
      [100, 'canary'],
      'it never goes live by itself',
    );
    assert.equal(ramp.view(feature()).holdUntil, null);
    assert.deepEqual(
      steps().map(([, , percent]) => percent),
      [1, 5, 25, 100],
    );
  });

  it('steps back once on a breach, journals why, and waits for somebody', async () => {
    const { act, pass, steps, journal, feature, ramp } = await house(25);
    await act({ kind: 'resume' });
    await pass(40);
    await pass(28, 3);
    assert.deepEqual(steps(), [['stepBack', 25, 5, 'latched']]);
    const entry = journal.entries().at(-1)!;
    assert.match(entry.why, /^errorRate: .*at most 0.5 % allowed/);
    const [errorRate] = entry.numbers as { metric: string; verdict: string; value: number }[];
    assert.deepEqual([errorRate!.metric, errorRate!.verdict], ['errorRate', 'breach']);
    assert.ok(errorRate!.value > 0.005);
    await pass(200, 10);
    await pass(200);
    assert.equal(steps().length, 1, 'latched');
    assert.match(ramp.view(feature()).text, /^stepped back from 25 % \(errorRate/);
    await act({ kind: 'resume' });
    await pass(61);
    assert.equal(feature().flag.percent, 25, 'a new window, without what was');
  });

  it('steps back to 0 % from the first step, and for slowness too', async () => {
    const { act, pass, steps } = await house(1);
    await act({ kind: 'resume' });
    await pass(20, 0, 200);
    assert.deepEqual(steps(), [['stepBack', 1, 0, 'latched']]);
  });

  it('only pauses when the config says so', async () => {
    const { act, pass, steps, journal } = await house(
      25,
      '{ steps: [5, 25, 100], hold: 60s, onBreach: pause }',
    );
    await act({ kind: 'resume' });
    await pass(30, 5);
    assert.deepEqual(steps(), [['pause', 25, 25, 'paused']]);
    assert.ok(Array.isArray(journal.entries().at(-1)!.numbers));
  });

  it('steps back at once when the service is taken out by its breaker', async () => {
    const { act, pass, steps, windows, ramp } = await house(25);
    await act({ kind: 'resume' });
    await pass(3);
    windows.observe({
      route: { upstream: 'image-api', decision: { feature: 'images', reason: 'BUCKET' } },
      own: { status: 0, failure: 'open', milliseconds: 0 },
    } as never);
    await ramp.tick();
    assert.deepEqual(steps(), [['stepBack', 25, 5, 'latched']]);
  });

  it('lets every change by a person win', async () => {
    const { act, pass, steps, feature } = await house(5);
    await act({ kind: 'resume' });
    await pass(30);
    await act({ kind: 'shift', percent: 30 });
    await pass(100, 10);
    assert.deepEqual([steps(), feature().flag.percent, feature().flag.ramp], [[], 30, 'paused']);
    await act({ kind: 'resume' });
    await pass(61);
    assert.deepEqual(steps(), [['step', 30, 100, 'running']], 'from the share it stands at');
    await act({ kind: 'kill' });
    await act({ kind: 'resume' });
    assert.equal(feature().flag.ramp, 'running');
  });

  it('is paused by an edit of the flag file', async () => {
    const { act, pass, steps, dir, current, journal, feature, now } = await house(5);
    await act({ kind: 'resume' });
    await pass(5);
    writeFileSync(join(dir, 'flags.json'), flagsAt(7, 'running'));
    current.refresh();
    journalFileEdits(
      journal,
      new Map([['images', { view: viewOf(feature()), fingerprint: feature().flag.fingerprint }]]),
      now(),
    );
    await pass(100, 10);
    assert.deepEqual(steps(), [['pause', 7, 7, 'paused']]);
  });

  it('compares with the kept baseline at 100 %, and says how old it is', async () => {
    const { act, pass, steps, ramp, feature, restart } = await house(25);
    await act({ kind: 'resume' });
    await pass(61);
    assert.equal(feature().flag.percent, 100);
    await pass(15);
    const [errorRate] = ramp.gates(feature());
    assert.deepEqual(
      [errorRate!.verdict, errorRate!.samples.baseline, errorRate!.baselineAge],
      ['pass', 3000, 15],
    );
    await restart();
    assert.equal(ramp.gates(feature())[0]!.samples.baseline, 3000);
    await pass(28, 3);
    assert.deepEqual(steps().at(-1), ['stepBack', 100, 25, 'latched']);
  });

  it('begins the hold anew after a restart, for the windows are gone', async () => {
    const house_ = await house(5);
    const { act, pass, feature, steps } = house_;
    await act({ kind: 'resume' });
    await pass(50);
    const { since } = house_.ramp.view(feature());
    await house_.restart();
    assert.equal(house_.ramp.view(feature()).since, since);
    await pass(59);
    assert.deepEqual(steps(), []);
    await pass(1);
    assert.deepEqual(steps(), [['step', 5, 25, 'running']]);
  });

  it('goes on after anything it fails at', async () => {
    const { act, pass, dir, errors, steps, feature } = await house(5);
    await act({ kind: 'resume' });
    await pass(59);
    writeFileSync(join(dir, 'flags.json'), '{');
    await pass(5);
    assert.ok(errors.length === 1, 'said once');
    assert.deepEqual([steps(), feature().flag.percent], [[], 5]);
    writeFileSync(join(dir, 'flags.json'), flagsAt(5, 'running'));
    await pass(1);
    assert.equal(steps().length, 1);
  });
});
