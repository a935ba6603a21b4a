import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FeatureJson, JournalJson } from '../../router/admin/protocol.ts';
import type { Entry } from '../../router/journal/journal.ts';
import { askFresh } from '../resilience/steady-load.ts';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { settled, shadowedConfig } from '../support/shadowed.ts';
import { until } from '../support/until.ts';

/** What control knows and does is of all its workers, not of one. */
describe('control of workers', () => {
  let monolith: Upstream;
  let service: Upstream;
  let router: RouterProcess;
  beforeEach(async () => {
    monolith = await startUpstream('monolith');
    service = await startUpstream('image-api');
  });
  afterEach(async () => {
    if (router.child.exitCode === null) await router.kill('SIGTERM');
    await router.stop();
    await Promise.all([monolith.close(), service.close()]);
  });

  async function serve(flags: string, shadow: string, more = ''): Promise<string> {
    const yaml = `workers: 3\nlog: { requests: all }\n${shadowedConfig(monolith.url, service.url, shadow)}${more}`;
    router = await startRouter({ yaml, flags });
    return yaml;
  }
  /** Each over a connection of its own; answers the sides. */
  async function ask(count: number, width = 10): Promise<string[]> {
    const port = Number(new URL(router.url).port);
    const sides: string[] = [];
    let next = 0;
    const client = async (): Promise<void> => {
      while (next < count) {
        const n = next++;
        const { status, side } = await askFresh(port, `/images/${n}`, `key-${n}`);
        assert.equal(status, 200);
        sides.push(side);
      }
    };
    await Promise.all(Array.from({ length: width }, client));
    return sides;
  }
  /** Workers by what the log says of the requests. */
  function workers(): Set<string> {
    const lines = router.output().split('\n');
    return new Set(
      lines.flatMap((line) =>
        line.includes('"msg":"request"') ? [(JSON.parse(line) as { worker: string }).worker] : [],
      ),
    );
  }

  /** Asks until every worker was asked: the kernel spreads connections by chance. Answers how often it took `count`. */
  async function askAll(count: number): Promise<number> {
    for (let rounds = 1; rounds < 20; rounds++) {
      await ask(count, 60);
      await until(() => router.output().split('"msg":"request"').length > count * rounds, 'the log');
      if (workers().size === 3) return rounds;
    }
    throw new Error(`only ${[...workers()].join()} were asked`);
  }

  it('adds up their parity, counters and evidence, and shows the mismatches of each', async () => {
    service.handle = (request, response) =>
      response.end(request.url!.endsWith('7') ? 'another one\n' : 'monolith\n');
    await serve(CANARY(0, 'shadow'), '{ sample: 1, compare: bytes, inFlight: 256 }');
    const rounds = await askAll(60);
    const { counts, dropped, mismatches } = await settled(router, 60 * rounds);
    assert.deepEqual([counts.match, counts.mismatch, dropped], [54 * rounds, 6 * rounds, 0]);
    assert.deepEqual(
      [...new Set(mismatches.map(({ path }) => path))].toSorted(),
      [17, 27, 37, 47, 57, 7].map((n) => `/images/${n}`),
    );
    const { stdout } = await router.cli('parity', 'images');
    assert.match(stdout, /\/images\/47/);
    const metrics = await (await fetch(`${router.adminUrl}/metrics`)).text();
    assert.match(metrics, /strangler_shadow_total\{feature="images",result="match"\} \d+/);
    const evidence = join(router.dir, '.data/evidence.json');
    await until(
      () => existsSync(evidence) && Date.now() - JSON.parse(readFileSync(evidence, 'utf8')).images < 60_000,
      'the evidence',
    );
  });

  it('ramps by the windows of all', async () => {
    const flags = JSON.parse(CANARY(50)) as { flags: { images: { metadata: object } } };
    flags.flags.images.metadata = { stage: 'canary', ramp: 'running' };
    const yaml = await serve(
      JSON.stringify(flags),
      '{ sample: 0 }',
      '    gates: [{ metric: errorRate, maxDelta: 0.05, samples: 240 }]\n    ramp: { steps: [50, 100], hold: 1h }\n',
    );
    const asked = 600 * (await askAll(600));
    const feature = async (): Promise<FeatureJson> =>
      (await router.admin('/api/features/images')).body as unknown as FeatureJson;
    const sum = ([gate]: FeatureJson['gates']): number => gate!.samples.candidate + gate!.samples.baseline;
    await until(async () => sum((await feature()).gates) === asked, 'the gate to count all');
    writeFileSync(join(router.dir, 'strangler.yaml'), yaml.replace('hold: 1h', 'hold: 1s'));
    await until(async () => (await feature()).percent === 100, 'the next step');
    const { entries } = (await router.admin('/api/journal')).body as unknown as JournalJson<Entry>;
    assert.equal(sum(entries[0]!.numbers as FeatureJson['gates']), asked);
  });

  it('answers a kill, a split and a rollback when every worker serves it', async () => {
    await serve(CANARY(100), '{ sample: 0 }');
    const all = async (side: string): Promise<void> => assert.deepEqual([...new Set(await ask(40))], [side]);
    await all('image-api');
    for (let round = 0; round < 5; round++) {
      assert.equal((await router.change('/images/kill', {})).status, 200);
      await all('monolith');
      assert.equal((await router.change('/images/resume', {})).status, 200);
      await all('image-api');
    }
    assert.equal((await router.change('/images/rollback', {})).status, 200);
    await all('monolith');
    assert.equal((await router.change('/images/split', { percent: 100 })).status, 200);
    await all('image-api');
  });
}).timeout(60_000);
