import assert from 'node:assert/strict';
import { createHouse, type House } from '../ramp/testbed.ts';
import { createLive } from './live.ts';

describe('what goes on right now', () => {
  let house: House;
  before(async () => (house = await createHouse(25)));
  const moves = { all: () => [] };
  after(() => house.close());

  it('is the rates of both sides over the last whole seconds, with ramp and gates', async () => {
    const { current, journal, windows, ramp, now } = house;
    await house.pass(30, 5);
    const live = createLive({ current, journal, windows, ramp, moves, now, instances: () => ['x'] }).now();
    const [feature] = live.features;
    assert.deepEqual(
      feature!.sides.map(({ upstream, rate, errorRate }) => [upstream, rate, errorRate]),
      [
        ['monolith', 50, 0],
        ['image-api', 50, 0.1],
      ],
    );
    assert.ok(feature!.sides.every(({ p50, p95 }) => Math.abs(p50! - 20) < 1 && Math.abs(p95! - 20) < 1));
    assert.deepEqual([feature!.stage, feature!.percent, feature!.ramp.state], ['canary', 25, 'paused']);
    assert.equal(feature!.gates[0]!.verdict, 'breach');
    assert.deepEqual([live.upstreams, live.config.state, live.journal], [['x'], 'applied', null]);
  });

  it('has a history of five minutes, five seconds at a time', async () => {
    const { current, journal, windows, ramp, now } = house;
    const { moments } = createLive({
      current,
      journal,
      windows,
      ramp,
      moves,
      now,
      instances: () => [],
    }).history();
    assert.equal(moments.length, 60);
    const rates = moments.map(({ features }) => features[0]!.sides.map(({ rate }) => rate));
    assert.ok(rates.slice(0, 53).every(([one, other]) => one === 0 && other === 0));
    assert.ok(rates.slice(-5).every(([one, other]) => one === 50 && other === 50));
    assert.equal(new Date(moments[59]!.at).getTime(), Math.floor(now() / 1000) * 1000);
  });

  it('is nothing where there is no traffic', async () => {
    const { current, journal, windows, ramp, now } = house;
    const live = createLive({
      current,
      journal,
      windows,
      ramp,
      moves,
      now: () => now() + 60_000,
      instances: () => [],
    }).now();
    assert.deepEqual(live.features[0]!.sides[0], {
      upstream: 'monolith',
      rate: 0,
      errorRate: 0,
      p50: null,
      p95: null,
    });
  });
});
