import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { FeatureJson, JournalJson } from '../../router/admin/protocol.ts';
import type { Entry } from '../../router/journal/journal.ts';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { until } from '../support/until.ts';

const RAMP = '{ steps: [25, 50, 100], hold: 1h }';
const GATES =
  '[{ metric: errorRate, maxDelta: 0.005, samples: 200 }, { metric: p95, maxRatio: 4, samples: 200 }]';

describe('the ramp of a running router', function () {
  this.timeout(60_000);
  let monolith: Upstream;
  let service: Upstream;
  let router: RouterProcess;
  const open: (() => Promise<void>)[] = [];
  before(async () => {
    monolith = await startUpstream('monolith');
    service = await startUpstream('image-api');
  });
  after(() => Promise.all([monolith.close(), service.close()]));
  afterEach(async () => {
    for (const close of open.splice(0).toReversed()) await close();
    service.handle = healthy;
  });
  const healthy = (incoming: IncomingMessage, response: ServerResponse): void =>
    void incoming.resume().on('end', () => response.end('ok'));

  /** A router in canary, its ramp running. */
  async function start(percent: number, ramp = RAMP, gates = GATES, dir?: string): Promise<RouterProcess> {
    const flags = JSON.parse(CANARY(percent)) as { flags: { images: { metadata: object } } };
    flags.flags.images.metadata = { stage: 'canary', ramp: 'running' };
    router = await startRouter({
      ...(dir === undefined ? {} : { dir }),
      flags: JSON.stringify(flags),
      yaml: `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "${monolith.url}" }, image-api: { url: "${service.url}" } }
default: monolith
features:
  images:
    upstream: image-api
    flag: images
    key: [{ header: x-user-id }]
    routes: [{ match: "GET /images/{id}", effect: read }]
    gates: ${gates}
    ramp: ${ramp}
`,
    });
    open.push(router.stop);
    return router;
  }

  /** Traffic until the test is over; answers the statuses so far. */
  function traffic(width = 12): Map<number, number> {
    const agent = new Agent({ connections: width, pipelining: 1 });
    const statuses = new Map<number, number>();
    let isOver = false;
    let sent = 0;
    const worker = async (): Promise<void> => {
      while (!isOver) {
        const key = String(sent++);
        const status = await request(`${router.url}/images/1`, {
          dispatcher: agent,
          headers: { 'x-user-id': key },
        }).then(
          async ({ statusCode, body }) => (await body.dump(), statusCode),
          () => 0,
        );
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const all = Promise.all(Array.from({ length: width }, worker));
    open.push(async () => {
      isOver = true;
      await all;
      await agent.close();
    });
    return statuses;
  }

  const feature = async (): Promise<FeatureJson> =>
    (await router.admin('/api/features/images')).body as unknown as FeatureJson;
  const journal = async (): Promise<readonly Entry[]> =>
    ((await router.admin('/api/journal')).body as unknown as JournalJson<Entry>).entries;
  async function untilFeature(
    condition: (now: FeatureJson) => boolean,
    deadline = 30_000,
  ): Promise<FeatureJson> {
    let last: FeatureJson | null = null;
    await until(
      async () => condition((last = await feature())),
      () => `the feature; it is ${JSON.stringify(last)}`,
      deadline,
    );
    return last!;
  }
  /** Gates judge the new step too, and nothing moves any more. */
  async function assertLatched(at: number, metric: string): Promise<void> {
    const { gates } = await untilFeature((now) =>
      now.gates.some((gate) => gate.metric === metric && gate.verdict === 'breach' && now.percent === at),
    );
    const { stage, percent, ramp } = await feature();
    assert.deepEqual([stage, percent, ramp.state], ['canary', at, 'latched'], JSON.stringify(gates));
    const steps = (await journal()).filter(({ who }) => who === 'ramp');
    assert.deepEqual(
      steps.map(({ action, before, after }) => [action, before?.percent, after.percent, after.ramp]),
      [['stepBack', 50, at, 'latched']],
    );
    const numbers = steps[0]!.numbers as FeatureJson['gates'];
    const gate = numbers.find((each) => each.metric === metric)!;
    assert.equal(gate.verdict, 'breach');
    assert.ok(gate.value! > gate.limit! && gate.samples.baseline >= 200 && gate.samples.candidate >= 200);
    assert.ok(steps[0]!.why.includes(gate.text));
  }

  it('steps back once on 5 % of errors, though every client gets the answer of the monolith', async () => {
    let count = 0;
    service.handle = (incoming, response) => {
      if (++count % 20 === 0) response.statusCode = 503;
      healthy(incoming, response);
    };
    await start(50);
    const statuses = traffic();
    await untilFeature(({ percent }) => percent === 25);
    await assertLatched(25, 'errorRate');
    assert.deepEqual([...statuses.keys()], [200], 'the fallback answered');
  });

  it('steps back once on 200 ms more', async () => {
    service.handle = (incoming, response) => void setTimeout(healthy, 200, incoming, response);
    await start(50);
    traffic(200);
    await untilFeature(({ percent }) => percent === 25);
    await assertLatched(25, 'p95');
  });

  it('steps back at once when the service is dead', async () => {
    await start(50);
    const statuses = traffic();
    await untilFeature(({ gates }) => gates[0]!.samples.candidate > 0);
    await service.close();
    try {
      await untilFeature(({ percent }) => percent === 25);
      assert.deepEqual([...statuses.keys()], [200]);
      const [entry] = await journal();
      assert.deepEqual([entry!.action, entry!.after.ramp], ['stepBack', 'latched']);
    } finally {
      await service.reopen();
    }
  });

  it('goes up while every gate passes, stays at its last step, and goes live with the numbers', async () => {
    await start(
      25,
      '{ steps: [25, 50, 100], hold: 2s }',
      '[{ metric: errorRate, maxDelta: 0.01, samples: 200 }]',
    );
    traffic();
    const top = await untilFeature(({ percent, gates }) => percent === 100 && gates[0]?.verdict === 'pass');
    assert.deepEqual(
      [top.stage, top.ramp.state, top.ramp.step, top.ramp.holdUntil],
      ['canary', 'running', 2, null],
    );
    assert.notEqual(top.gates[0]!.baselineAge, null);
    assert.deepEqual(
      (await journal())
        .filter(({ who }) => who === 'ramp')
        .map(({ after, ungated }) => [after.percent, ungated]),
      [
        [100, false],
        [50, false],
      ],
    );
    const { code, stdout } = await router.cli('promote', 'images', '--why', 'all is well');
    assert.deepEqual([code, /in live/.test(stdout)], [0, true]);
    const [entry] = await journal();
    assert.deepEqual(
      [entry!.action, entry!.ungated, (entry!.numbers as object[]).length],
      ['promote', false, 1],
    );
  });

  it('never judges on two requests of which one failed: neither back nor forward', async () => {
    await start(100, '{ steps: [25, 50, 100], hold: 1s }');
    service.handle = (incoming, response) => {
      response.statusCode = service.seen.length % 2 === 0 ? 200 : 500;
      healthy(incoming, response);
    };
    for (const key of ['a', 'b'])
      await (await fetch(`${router.url}/images/1`, { headers: { 'x-user-id': key } })).arrayBuffer();
    const { gates } = await untilFeature(({ gates: [gate] }) => gate?.samples.candidate === 2);
    assert.equal(gates[0]!.verdict, 'notEnough');
    const refused = await router.change('/images/promote', {});
    assert.equal(refused.status, 422);
    assert.match(String(refused.body['detail']), /not enough data/);
    const [errorRate] = refused.body['gates'] as FeatureJson['gates'];
    assert.deepEqual([errorRate!.metric, errorRate!.verdict], ['errorRate', 'notEnough']);
    const { code, stderr } = await router.cli('promote', 'images', '--why', 'I am in a hurry');
    assert.equal(code, 1, stderr);
    assert.match(stderr, /not enough data/);
    assert.match(stderr, /errorRate +not enough data/);
    const now = await feature();
    assert.deepEqual([now.stage, now.percent, now.ramp.state], ['canary', 100, 'running']);
    assert.equal((await journal()).filter(({ who }) => who === 'ramp').length, 0);
  });

  it('leaves everything to the person who shifts', async () => {
    await start(50);
    service.handle = (incoming, response) => {
      response.statusCode = 500;
      healthy(incoming, response);
    };
    assert.equal((await router.cli('shift', 'images', '60', '--why', 'a look')).code, 0);
    assert.equal((await feature()).ramp.state, 'paused');
    traffic();
    await untilFeature(({ gates }) => gates.some(({ verdict }) => verdict === 'breach'));
    assert.deepEqual([(await feature()).percent, (await journal())[0]!.action], [60, 'shift']);
  });

  it('serves on when the ramp fails at every look, and says so', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ramp-'));
    open.push(async () => rmSync(dir, { recursive: true, force: true }));
    mkdirSync(join(dir, '.data', 'ramp.json', 'in the way'), { recursive: true });
    await start(50, RAMP, GATES, dir);
    const statuses = traffic();
    await until(() => /the ramp failed/.test(router.output()), 'the complaint');
    const before = statuses.get(200) ?? 0;
    await until(() => (statuses.get(200) ?? 0) > before + 500, 'further answers');
    assert.deepEqual([...statuses.keys()], [200]);
  });
});
