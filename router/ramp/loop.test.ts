import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { viewOf } from '../flags/view.ts';
import { journalFileEdits } from '../journal/watch.ts';
import { createHouse, flagsAt, type House } from './testbed.ts';

describe('the ramp loop', () => {
  const open: House[] = [];
  afterEach(() => open.splice(0).forEach((each) => each.close()));
  const house = (...options: Parameters<typeof createHouse>): House => {
    const created = createHouse(...options);
    open.push(created);
    return created;
  };

  it('does nothing until it is started, and then holds each step', () => {
    const { act, pass, steps, ramp, feature } = house(0);
    pass(100);
    assert.deepEqual([steps(), ramp.view(feature()).state], [[], 'paused']);
    act({ kind: 'resume' });
    pass(1);
    assert.deepEqual(steps(), [['step', 0, 1, 'running']]);
    pass(59);
    assert.equal(feature().flag.percent, 1);
    assert.match(ramp.view(feature()).text, /^holds 1 % for 1 s more/);
    pass(1);
    assert.equal(feature().flag.percent, 5);
    assert.deepEqual([ramp.view(feature()).step, ramp.view(feature()).state], [1, 'running']);
    pass(400);
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

  it('steps back once on a breach, journals why, and waits for somebody', () => {
    const { act, pass, steps, journal, feature, ramp } = house(25);
    act({ kind: 'resume' });
    pass(40);
    pass(28, 3);
    assert.deepEqual(steps(), [['stepBack', 25, 5, 'latched']]);
    const entry = journal.entries().at(-1)!;
    assert.match(entry.why, /^errorRate: .*at most 0.5 % allowed/);
    const [errorRate] = entry.numbers as { metric: string; verdict: string; value: number }[];
    assert.deepEqual([errorRate!.metric, errorRate!.verdict], ['errorRate', 'breach']);
    assert.ok(errorRate!.value > 0.005);
    pass(200, 10);
    pass(200);
    assert.equal(steps().length, 1, 'latched');
    assert.match(ramp.view(feature()).text, /^stepped back from 25 % \(errorRate/);
    act({ kind: 'resume' });
    pass(61);
    assert.equal(feature().flag.percent, 25, 'a new window, without what was');
  });

  it('steps back to 0 % from the first step, and for slowness too', () => {
    const { act, pass, steps } = house(1);
    act({ kind: 'resume' });
    pass(20, 0, 200);
    assert.deepEqual(steps(), [['stepBack', 1, 0, 'latched']]);
  });

  it('only pauses when the config says so', () => {
    const { act, pass, steps, journal } = house(25, '{ steps: [5, 25, 100], hold: 60s, onBreach: pause }');
    act({ kind: 'resume' });
    pass(30, 5);
    assert.deepEqual(steps(), [['pause', 25, 25, 'paused']]);
    assert.ok(Array.isArray(journal.entries().at(-1)!.numbers));
  });

  it('steps back at once when the service is taken out by its breaker', () => {
    const { act, pass, steps, windows, ramp } = house(25);
    act({ kind: 'resume' });
    pass(3);
    windows.observe({
      route: { upstream: 'image-api', decision: { feature: 'images', reason: 'BUCKET' } },
      own: { status: 0, failure: 'open', milliseconds: 0 },
    } as never);
    ramp.tick();
    assert.deepEqual(steps(), [['stepBack', 25, 5, 'latched']]);
  });

  it('lets every change by a person win', () => {
    const { act, pass, steps, feature } = house(5);
    act({ kind: 'resume' });
    pass(30);
    act({ kind: 'shift', percent: 30 });
    pass(100, 10);
    assert.deepEqual([steps(), feature().flag.percent, feature().flag.ramp], [[], 30, 'paused']);
    act({ kind: 'resume' });
    pass(61);
    assert.deepEqual(steps(), [['step', 30, 100, 'running']], 'from the share it stands at');
    act({ kind: 'kill' });
    act({ kind: 'resume' });
    assert.equal(feature().flag.ramp, 'running');
  });

  it('is paused by an edit of the flag file', () => {
    const { act, pass, steps, dir, current, journal, feature, now } = house(5);
    act({ kind: 'resume' });
    pass(5);
    writeFileSync(join(dir, 'flags.json'), flagsAt(7, 'running'));
    current.refresh();
    journalFileEdits(
      journal,
      new Map([['images', { view: viewOf(feature()), fingerprint: feature().flag.fingerprint }]]),
      now(),
    );
    pass(100, 10);
    assert.deepEqual(steps(), [['pause', 7, 7, 'paused']]);
  });

  it('compares with the kept baseline at 100 %, and says how old it is', () => {
    const { act, pass, steps, ramp, feature, restart } = house(25);
    act({ kind: 'resume' });
    pass(61);
    assert.equal(feature().flag.percent, 100);
    pass(15);
    const [errorRate] = ramp.gates(feature());
    assert.deepEqual(
      [errorRate!.verdict, errorRate!.samples.baseline, errorRate!.baselineAge],
      ['pass', 3000, 15],
    );
    restart();
    assert.equal(ramp.gates(feature())[0]!.samples.baseline, 3000);
    pass(28, 3);
    assert.deepEqual(steps().at(-1), ['stepBack', 100, 25, 'latched']);
  });

  it('begins the hold anew after a restart, for the windows are gone', () => {
    const house_ = house(5);
    const { act, pass, feature, steps } = house_;
    act({ kind: 'resume' });
    pass(50);
    const { since } = house_.ramp.view(feature());
    house_.restart();
    assert.equal(house_.ramp.view(feature()).since, since);
    pass(59);
    assert.deepEqual(steps(), []);
    pass(1);
    assert.deepEqual(steps(), [['step', 5, 25, 'running']]);
  });

  it('goes on after anything it fails at', () => {
    const { act, pass, dir, errors, steps, feature } = house(5);
    act({ kind: 'resume' });
    pass(59);
    writeFileSync(join(dir, 'flags.json'), '{');
    pass(5);
    assert.ok(errors.length === 1, 'said once');
    assert.deepEqual([steps(), feature().flag.percent], [[], 5]);
    writeFileSync(join(dir, 'flags.json'), flagsAt(5, 'running'));
    pass(1);
    assert.equal(steps().length, 1);
  });
});
