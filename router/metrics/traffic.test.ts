import assert from 'node:assert/strict';
import { Registry, type Counter } from '@prometheus-io/client';
import type { Observation, Route } from '../forward/plan.ts';
import { createTraffic } from './traffic.ts';

const route = (reason: string): Route =>
  ({ upstream: 'image-api', decision: { feature: 'images', reason } }) as unknown as Route;
const observation = (of: Partial<Observation>): Observation => ({
  method: 'GET',
  path: '/',
  route: null,
  status: 200,
  answeredBy: null,
  own: null,
  milliseconds: 1,
  aborted: false,
  requestId: '',
  ...of,
});

describe('the traffic metrics', () => {
  it('count by route and answer, and read as Prometheus text', async () => {
    const traffic = createTraffic();
    const registry = new Registry();
    for (const metric of traffic.metrics) registry.registerMetric(metric as unknown as Counter);
    const [bucket, stage] = [route('BUCKET'), route('STAGE')];
    traffic.observe(observation({ route: bucket, answeredBy: 'image-api', milliseconds: 4 }));
    traffic.observe(observation({ route: route('BUCKET'), answeredBy: 'image-api', milliseconds: 1 }));
    traffic.observe(observation({ route: bucket, answeredBy: 'monolith', milliseconds: 400 }));
    traffic.observe(observation({ route: stage, answeredBy: null, status: 502, milliseconds: 60_000 }));
    traffic.observe(observation({ status: 400 }));
    const lines = (await registry.metrics()).split('\n');
    const value = (name: string, ...labels: string[]): number =>
      Number(
        lines
          .find((line) => line.startsWith(name) && labels.every((label) => line.includes(label)))
          ?.split(' ')
          .at(-1),
      );
    assert.equal(
      value('strangler_requests_total', 'answered_by="image-api"', 'reason="BUCKET"', 'status="200"'),
      2,
    );
    assert.equal(value('strangler_requests_total', 'answered_by="monolith"', 'reason="BUCKET"'), 1);
    assert.equal(
      value('strangler_requests_total', 'answered_by="router"', 'reason="STAGE"', 'status="502"'),
      1,
    );
    assert.equal(value('strangler_requests_total', 'feature=""', 'status="400"'), 1);
    const duration = 'strangler_request_duration_seconds';
    assert.equal(value(`${duration}_bucket`, 'feature="images"', 'le="0.001"'), 1);
    assert.equal(value(`${duration}_bucket`, 'feature="images"', 'le="0.005"'), 2);
    assert.equal(value(`${duration}_bucket`, 'feature="images"', 'le="30"'), 3);
    assert.equal(value(`${duration}_bucket`, 'feature="images"', 'le="+Inf"'), 4);
    assert.equal(value(`${duration}_count`, 'feature="images"'), 4);
    assert.ok(Math.abs(value(`${duration}_sum`, 'feature="images"') - 60.405) < 1e-9);
    assert.ok(lines.includes(`# TYPE ${duration} histogram`));
  });

  it('of several processes add up to what one would show', async () => {
    const text = async (...counted: ReturnType<typeof createTraffic>[]): Promise<string> => {
      const registry = new Registry();
      const sum = counted[0]!;
      for (const worker of counted.slice(1))
        for (let round = 0; round < 2; round++)
          sum.add(JSON.parse(JSON.stringify(worker.take())), 'a worker');
      for (const metric of sum.metrics) registry.registerMetric(metric as unknown as Counter);
      return (await registry.metrics()).split('\n').toSorted().join('\n');
    };
    const observations = [...Array(50).keys()].map((n) =>
      observation({
        route: n % 7 === 0 ? null : route(n % 3 === 0 ? 'BUCKET' : 'STAGE'),
        status: n % 5 === 0 ? 502 : 200,
        answeredBy: n % 5 === 0 ? null : n % 2 === 0 ? 'image-api' : 'monolith',
        // Sums of powers of two are exact, in whatever order.
        milliseconds: 125 * 2 ** (n % 8),
      }),
    );
    const [one, sum, ...workers] = Array.from({ length: 5 }, createTraffic);
    observations.forEach((each, n) => {
      one!.observe(each);
      workers[n % workers.length]!.observe(each);
    });
    assert.equal(await text(sum!, ...workers), await text(one!));
  });
});
