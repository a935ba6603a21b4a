import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { FeatureJson, JournalJson } from '../../router/admin/protocol.ts';
import { CANARY, startRouter, type RouterProcess } from '../support/router.ts';
import { until } from '../support/until.ts';

const YAML = `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: http://127.0.0.1:1 }, image-api: { url: http://127.0.0.1:2 } }
default: monolith
features:
  images:
    upstream: image-api
    flag: images
    key: [{ cookie: sid }]
    routes: [{ match: "GET /images/{id}", effect: read }]
    gates:
      - { metric: parity, min: 0.99, samples: 100 }
      - { metric: errorRate, maxDelta: 0.005, samples: 100 }
    ramp: { steps: [1, 5, 25, 100], hold: 1h }
`;

describe('changing a feature', () => {
  let router: RouterProcess;
  beforeEach(async () => (router = await startRouter({ yaml: YAML, flags: CANARY(0, 'off') })));
  afterEach(() => router.stop());

  const feature = async (): Promise<FeatureJson> =>
    (await router.admin('/api/features/images')).body as unknown as FeatureJson;
  const actions = async (): Promise<string[]> =>
    ((await router.admin('/api/journal')).body as unknown as JournalJson).entries.map(({ action }) => action);
  const change = (verb: string, etag: string, body: object = {}) =>
    router.admin(`/api/features/images/${verb}`, {
      method: 'POST',
      headers: { 'if-match': etag },
      body: JSON.stringify({ why: 'a test', ...body }),
    });
  const observe = (observations: unknown) =>
    router.admin('/api/features/images/observations', {
      method: 'POST',
      body: JSON.stringify({ observations }),
    });
  const both = (ok: boolean, count: number, parity: string | null = null): object[] =>
    ['monolith', 'image-api'].map((side) => ({ side, ok, milliseconds: 12.5, count, parity }));

  it('has one winner of two who saw the same', async () => {
    for (const [first, second] of [
      ['promote', 'promote'],
      ['promote', 'rollback'],
    ] as const) {
      const { etag } = await feature();
      const before = (await actions()).length;
      const answers = await Promise.all([change(first, etag), change(second, etag)]);
      const statuses = answers.map(({ status }) => status).toSorted();
      assert.deepEqual(statuses, [200, 412], JSON.stringify(answers));
      assert.equal((await actions()).length, before + 1);
      const loser = answers.find(({ status }) => status === 412)!;
      assert.equal(
        typeof (loser.body['now'] as { stage: string }).stage,
        'string',
        'it is told how things are',
      );
      if ((await feature()).stage !== 'off') await router.change('/images/rollback', { to: 'off' });
    }
    assert.equal((await change('promote', '"0123456789ab"')).status, 412);
    const none = await router.admin('/api/features/images/promote', { method: 'POST', body: '{"why":"x"}' });
    assert.equal(none.status, 428);
  });

  it('skips no stage, and asks only parity before canary', async () => {
    assert.equal((await router.change('/images/rollback', { to: 'canary' })).status, 409);
    assert.equal((await router.change('/images/split', { percent: 5 })).status, 409);
    assert.equal((await router.change('/images/promote', {})).body['stage'], 'shadow');
    const refused = await router.change('/images/promote', {});
    assert.equal(refused.status, 422);
    assert.deepEqual(
      (refused.body['gates'] as FeatureJson['gates']).map(({ metric, verdict }) => [metric, verdict]),
      [['parity', 'notEnough']],
    );
    assert.equal((await observe(both(true, 1, 'mismatch'))).status, 200);
    await observe(both(true, 500, 'match'));
    const promoted = await router.change('/images/promote', {});
    assert.equal(promoted.body['stage'], 'canary', JSON.stringify(promoted.body));
    assert.equal((promoted.body['ramp'] as FeatureJson['ramp']).state, 'paused');
    assert.deepEqual(await actions(), ['promote', 'promote', 'found']);
  });

  it('counts what is observed elsewhere as it counts requests', async () => {
    await router.change('/images/promote', {});
    await observe(both(true, 200, 'match'));
    await router.change('/images/promote', {});
    assert.equal((await router.change('/images/promote', {})).status, 422);
    const { body } = await observe([...both(true, 200, 'match'), ...both(false, 1, 'ignored')]);
    assert.deepEqual(body, { counted: 402 });
    await until(
      async () => (await feature()).gates.every(({ verdict }) => verdict === 'pass'),
      'the gates to pass',
    );
    const { gates } = await feature();
    assert.deepEqual(
      gates.map(({ metric, samples, value }) => [metric, samples.candidate, value]),
      [
        ['parity', 400, 1],
        ['errorRate', 201, 0],
      ],
    );
    assert.equal((await router.change('/images/promote', {})).body['stage'], 'live');
    assert.equal((await router.change('/images/rollback', {})).body['stage'], 'canary');
  });

  it('says what is wrong with an observation', async () => {
    for (const [observations, said] of [
      [[{ side: 'mars', ok: true, milliseconds: 1 }], /observations\.0\.side.*monolith.*image-api/],
      [[{ side: 'monolith', ok: 1, milliseconds: 1 }], /observations\.0\.ok/],
      [[{ side: 'monolith', ok: true, milliseconds: -1 }], /observations\.0\.milliseconds/],
      [[{ side: 'monolith', ok: true, milliseconds: 1, count: 0 }], /observations\.0\.count/],
      [[], /observations/],
      [Array.from({ length: 1001 }, () => ({ side: 'monolith', ok: true, milliseconds: 1 })), /1000/],
      [undefined, /observations/],
    ] as const) {
      const { status, body } = await observe(observations);
      assert.equal(status, 400);
      assert.match(String(body['detail']), said);
    }
    const full = Array.from({ length: 1000 }, () => ({
      side: 'image-api',
      ok: true,
      milliseconds: 1.123456789,
      parity: 'incomparable',
    }));
    assert.equal((await observe(full)).body['counted'], 1000);
    const path = `${router.adminUrl}/api/features/images/observations`;
    assert.equal((await fetch(path, { method: 'POST', body: '{}' })).status, 401);
    const unknown = await router.admin('/api/features/nothing/observations', { method: 'POST', body: '{}' });
    assert.equal(unknown.status, 404);
  });

  it('is watched, a line a feature without a terminal', async () => {
    const child = spawn(
      process.execPath,
      [resolve(import.meta.dirname, '../../cli/main.ts'), 'status', '--watch', '--admin', router.adminUrl],
      { env: { ...process.env, STRANGLER_ADMIN_TOKEN: router.token }, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const gone = once(child, 'exit');
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await until(() => text.split('\n').length > 2, 'two looks');
    child.kill('SIGTERM');
    await gone;
    for (const line of text.trimEnd().split('\n'))
      assert.match(line, /^\S+Z images off 0 % parity=notEnough errorRate=notEnough ramp paused \(paused; /);
    const { stdout } = await router.cli('status');
    assert.match(stdout, /images: ramp paused at 0 %: paused; resume starts it from here/);
    assert.match(stdout, /errorRate +not enough data +- +0\.5 % +0 \/ 0/);
  });
});
