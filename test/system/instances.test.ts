import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startEtcd, type Etcd } from '../support/etcd.ts';
import { endListed, startListed, type ListedInstance } from '../support/listed-instances.ts';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { until } from '../support/until.ts';

interface Status {
  readonly name: string;
  readonly registry: string | null;
  readonly instances: readonly {
    readonly url: string;
    readonly breaker: string;
    readonly requests: number;
  }[];
}

/** Instances that list themselves in a real cluster of three. No fallback: a read that fails is seen. */
for (const workers of [1, 2]) {
  describe(`instances from etcd, ${workers} ${workers === 1 ? 'process' : 'workers'}`, function () {
    this.timeout(120_000);
    let etcd: Etcd;
    let dir: string;
    let monolith: Upstream;
    let router: RouterProcess;
    const all: ListedInstance[] = [];
    let stopLoads: (() => void)[] = [];

    const yaml = (): string => `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
workers: ${workers}
upstreams:
  monolith: { url: "${monolith.url}" }
  image-api: { etcd: "\${IMAGE_API_SERVICE:-image-api}", timeouts: { connect: 500ms, response: 3s } }
default: monolith
features:
  images:
    { upstream: image-api, flag: images, key: [{ header: x-user-id }], fallback: { on: [] }, routes: [{ match: "GET /images/{id}", effect: read }] }
`;
    const start = (): Promise<RouterProcess> =>
      startRouter({ yaml: yaml(), flags: CANARY(100), dir, env: { ETCD_URLS: etcd.urls.join() } });
    async function listed(): Promise<ListedInstance> {
      const instance = await startListed(etcd.urls);
      all.push(instance);
      return instance;
    }
    before(async () => {
      dir = mkdtempSync(join(tmpdir(), 'instances-'));
      etcd = await startEtcd(3);
      monolith = await startUpstream('monolith');
      for (let n = 0; n < 3; n++) await listed();
      router = await start();
    });
    afterEach(() => {
      for (const stop of stopLoads) stop();
      stopLoads = [];
    });
    after(async () => {
      await router?.stop();
      await Promise.all(all.map(endListed));
      await monolith?.close();
      await etcd?.stop();
      rmSync(dir, { recursive: true, force: true });
    });

    const service = async (): Promise<Status> => {
      const { upstreams } = (await router.admin('/api/status')).body as { upstreams: Status[] };
      return upstreams.find(({ name }) => name === 'image-api')!;
    };
    const urls = async (): Promise<string[]> => (await service()).instances.map(({ url }) => url).sort();
    const urlOf = ({ port }: ListedInstance): string => `http://127.0.0.1:${port}`;
    const knows = (expected: readonly ListedInstance[]): Promise<void> =>
      until(
        async () => (await urls()).join() === expected.map(urlOf).sort().join(),
        `the router to know ${expected.length} instances`,
        15_000,
      );
    const state = (expected: string, deadline = 10_000): Promise<void> =>
      until(async () => (await service()).registry === expected, `the registry to be ${expected}`, deadline);

    async function read(agent: Agent, path = '/images/1'): Promise<{ status: number; by: string }> {
      const { port } = new URL(router.url);
      return await new Promise((done) => {
        const asked = request(
          { port, path, agent, headers: { 'x-user-id': 'ana' } },
          (response) =>
            void response
              .resume()
              .on('end', () =>
                done({ status: response.statusCode!, by: String(response.headers['x-served-by']) }),
              )
              .on('error', () => done({ status: 0, by: '' })),
        );
        asked.on('error', () => done({ status: 0, by: '' }));
        asked.end();
      });
    }
    /** Reads by some clients at a steady pace, until `stop`; what was not answered 200 is a failure. */
    function load(
      clients = 8,
      pause = 10,
    ): { seen: Map<string, number>; stop(): Promise<[number, number[]]> } {
      const agent = new Agent({ keepAlive: true });
      const seen = new Map<string, number>();
      const failures: number[] = [];
      let count = 0;
      let isOver = false;
      const client = async (): Promise<void> => {
        for (; !isOver; await wait(pause)) {
          const { status, by } = await read(agent);
          count++;
          if (status !== 200) failures.push(status);
          else if (!seen.has(by)) seen.set(by, performance.now());
        }
      };
      const running = Array.from({ length: clients }, client);
      stopLoads.push(() => (isOver = true));
      return {
        seen,
        async stop() {
          isOver = true;
          await Promise.all(running);
          agent.destroy();
          return [count, failures];
        },
      };
    }

    it('serves on without a failed read while one is killed, one stalls and one is new', async () => {
      await knows(all);
      await state('FRESH');
      const reading = load();
      await until(() => reading.seen.size === 3, 'all three to be asked');
      const [dead, stalled, alive] = all as [ListedInstance, ListedInstance, ListedInstance];
      dead.child.kill('SIGKILL');
      all.shift();
      await until(
        async () => (await service()).instances.some(({ breaker }) => breaker === 'open'),
        'the dead one to be left alone',
      );
      stalled.child.kill('SIGSTOP');
      const stopped = performance.now();
      await until(
        async () =>
          (await service()).instances.some(
            ({ url, breaker }) => url === urlOf(stalled) && breaker !== 'closed',
          ),
        'the stalled one to be left alone',
      );
      const ejected = performance.now() - stopped;
      assert.ok((await urls()).includes(urlOf(stalled)), 'its lease has not ended yet');
      const fresh = await listed();
      const started = performance.now();
      await until(() => reading.seen.has(String(fresh.port)), 'the new one to be asked');
      const took = reading.seen.get(String(fresh.port))! - started;
      assert.ok(took < 2000, `the new one was asked ${took.toFixed()} ms after it listened`);
      await knows([alive, fresh]);
      const gone = performance.now() - stopped;
      stalled.child.kill('SIGCONT');
      await knows([stalled, alive, fresh]);
      const [count, failures] = await reading.stop();
      assert.deepEqual(failures, [], `of ${count}`);
      assert.ok(ejected < gone && gone < 15_000);
      console.log(
        `        new after ${took.toFixed()} ms, ejected after ${ejected.toFixed()} ms, lease gone after ${gone.toFixed()} ms, ${count} reads`,
      );
    });

    it('chooses one no longer that leaves, and lets it finish', async () => {
      const leaving = all[0]!;
      const agent = new Agent({ keepAlive: true });
      const slow = Promise.all(Array.from({ length: 12 }, () => read(agent, '/images/slow')));
      await until(
        async () => (await service()).instances.every(({ requests }) => requests > 0),
        'all to have something to do',
      );
      const reading = load();
      leaving.child.kill('SIGTERM');
      await knows(all.slice(1));
      await leaving.exited;
      const answers = await slow;
      const [, failures] = await reading.stop();
      agent.destroy();
      assert.deepEqual(failures, []);
      assert.deepEqual(
        answers.filter(({ status }) => status !== 200),
        [],
      );
      all.shift();
    });

    it('serves the last instances known while etcd is dead, also after a restart, and is fresh soon after', async () => {
      const before = await urls();
      const reading = load();
      for (const member of [0, 1, 2]) await etcd.kill(member);
      await state('STALE');
      assert.deepEqual(await urls(), before);
      const metrics = await (await fetch(`${router.adminUrl}/metrics`)).text();
      assert.match(metrics, /strangler_registry_state\{upstream="image-api",state="STALE"\} 1/);
      assert.match((await router.cli('status')).stdout, /^image-api: STALE, the registry does not answer/m);
      const [count, failures] = await reading.stop();
      assert.deepEqual(failures, [], `of ${count}`);

      assert.equal(await router.kill('SIGTERM'), 0);
      router = await start();
      assert.equal((await service()).registry, 'STALE');
      assert.deepEqual(await urls(), before);
      const again = load();
      await until(() => again.seen.size === before.length, 'all to be asked');
      await Promise.all([0, 1, 2].map((member) => etcd.start(member)));
      const back = performance.now();
      await state('FRESH');
      const took = performance.now() - back;
      assert.ok(took < 5000, `fresh after ${took.toFixed()} ms`);
      const newest = await listed();
      await until(() => again.seen.has(String(newest.port)), 'the new one to be asked');
      const [, faults] = await again.stop();
      assert.deepEqual(faults, []);
      console.log(`        fresh ${took.toFixed()} ms after the members were back`);
    });

    it('keeps the last instances known when the registry loses all, says so, and hears of them again', async () => {
      // One worker may have asked the newest before the process behind the admin port has heard of it.
      await knows(all);
      const before = await urls();
      const [key, end] = ['/', '0'].map((last) => btoa(`strangler/services${last}`));
      // Each lists itself anew as soon as it looks, so they are held until the loss has been seen.
      for (const { child } of all) child.kill('SIGSTOP');
      await fetch(`${etcd.urls[0]}/v3/kv/deleterange`, {
        method: 'POST',
        body: JSON.stringify({ key, range_end: end }),
      });
      await state('EMPTY');
      assert.deepEqual(await urls(), before);
      const reading = load();
      for (const { child } of all) child.kill('SIGCONT');
      await state('FRESH');
      await knows(all);
      const [, failures] = await reading.stop();
      assert.deepEqual(failures, []);
    });
  });
}
