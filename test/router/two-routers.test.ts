import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FeatureJson, GateJson, JournalJson } from '../../router/admin/protocol.ts';
import type { Entry } from '../../router/journal/journal.ts';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
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
    ramp: { steps: [1, 2, 3, 4, 5, 6], hold: 100ms }
`;

describe('two routers that share their files', () => {
  let dir: string;
  const routers: RouterProcess[] = [];
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'two-'))));
  afterEach(async () => {
    await Promise.all(routers.splice(0).map((router) => router.stop()));
    rmSync(dir, { recursive: true, force: true });
  });

  it('have one leader that ramps, and another as soon as it is dead; each change is journalled once', async () => {
    for (let i = 0; i < 2; i++) routers.push(await startRouter({ yaml: YAML, flags: CANARY(0), dir }));
    const [first, second] = routers as [RouterProcess, RouterProcess];
    const leader = (): number => Number(readFileSync(join(dir, '.data/ramp.lock'), 'utf8').split(' ')[0]);
    const percent = async (): Promise<number> =>
      ((await second.admin('/api/features/images')).body as unknown as FeatureJson).percent!;
    assert.equal(leader(), first.child.pid);
    assert.equal((await second.change('/images/resume', {})).status, 200);
    await until(async () => (await percent()) >= 3, 'the first steps', 20_000);
    await first.kill('SIGKILL');
    await until(async () => (await percent()) === 6, 'the last step', 20_000);
    assert.equal(leader(), second.child.pid);
    const { entries } = (await second.admin('/api/journal')).body as unknown as JournalJson<Entry>;
    assert.deepEqual(
      entries.map(({ who, action, after }) => `${who} ${action} ${after.percent}`).toReversed(),
      ['file found 0', 'api resume 0', ...Array.from({ length: 6 }, (_, step) => `ramp step ${step + 1}`)],
    );
  }).timeout(60_000);

  it('judge by what both have measured, and name the one that is not heard of', async () => {
    const upstreams = await Promise.all(['monolith', 'image-api'].map(startUpstream));
    const [monolith, service] = upstreams as [Upstream, Upstream];
    const yaml = YAML.replace('http://127.0.0.1:1 ', `"${monolith.url}" `)
      .replace('http://127.0.0.1:2 ', `"${service.url}" `)
      .replace('cookie: sid', 'header: x-user-id')
      .replace(/ramp: .*/, 'gates: [{ metric: errorRate, maxDelta: 0.01, samples: 100 }]');
    try {
      for (let i = 0; i < 2; i++) routers.push(await startRouter({ yaml, flags: CANARY(50), dir }));
      const [first, second] = routers as [RouterProcess, RouterProcess];
      const gate = async (router: RouterProcess): Promise<GateJson> =>
        ((await router.admin('/api/features/images')).body as unknown as FeatureJson).gates[0]!;
      for (const router of [first, second])
        for (let i = 0; i < 150; i++)
          await fetch(`${router.url}/images/1`, { headers: { 'x-user-id': `user-${i}` } });
      for (const router of [first, second]) {
        const counted = async (): Promise<number> => {
          const { samples } = await gate(router);
          return samples.baseline + samples.candidate;
        };
        await until(async () => (await counted()) === 300, 'the windows of both');
      }
      assert.equal((await gate(first)).verdict, 'pass');
      second.child.kill('SIGSTOP');
      await until(
        async () => (await gate(first)).text.includes(`.${second.child.pid}.`),
        'the verdict to name it',
        20_000,
      );
      second.child.kill('SIGCONT');
      await until(async () => !(await gate(first)).text.includes('nothing is heard'), 'it to be back');
    } finally {
      for (const upstream of upstreams) await upstream.close();
    }
  }).timeout(60_000);
});
