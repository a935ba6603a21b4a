import assert from 'node:assert/strict';
import { createEtcd, type Etcd as Client } from '../../router/etcd/client.ts';
import { steadyLoad } from '../resilience/steady-load.ts';
import { startEtcd, type Etcd } from '../support/etcd.ts';
import { duel, featureOf, journalOf, startEtcdRouter, statusOf } from '../support/many-routers.ts';
import { CANARY, startUpstream, type RouterProcess } from '../support/router.ts';
import { until } from '../support/until.ts';

const RAMP = 'ramp: { steps: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], hold: 1s }';

describe('many routers on one etcd', function () {
  this.timeout(120_000);
  let cluster: Etcd;
  let etcd: Client;
  const routers: RouterProcess[] = [];
  const start = async (
    options: Partial<Parameters<typeof startEtcdRouter>[0]> = {},
  ): Promise<RouterProcess> => {
    const router = await startEtcdRouter({ urls: cluster.urls, ...options });
    routers.push(router);
    return router;
  };
  const change = async (router: RouterProcess, what: string, body: Record<string, unknown> = {}) =>
    await router.change(`/images/${what}`, body);
  const killAll = () => Promise.all(cluster.urls.map((_, member) => cluster.kill(member)));
  const startAll = () => Promise.all(cluster.urls.map((_, member) => cluster.start(member)));
  const told = async (router: RouterProcess): Promise<string[]> =>
    (await journalOf(router))
      .map(({ who, action, after }) => `${who} ${action} ${after.percent}`)
      .toReversed();

  before(async () => {
    cluster = await startEtcd(3);
    etcd = createEtcd({ urls: cluster.urls });
  });
  afterEach(async () => {
    await Promise.all(routers.splice(0).map((router) => router.stop()));
    await etcd.remove('strangler/', 'strangler0');
  });
  after(async () => {
    etcd.close();
    await cluster.stop();
  });

  it('has one winner each time two change a flag at once, and a journal of the winners', async () => {
    const pair = [await start(), await start()] as const;
    await duel(pair, Number(process.env['DUELS'] ?? 50));
  });

  it('journals an edit by hand once, pauses the ramp, and serves on when the next one is wrong', async () => {
    const [one, other] = [await start({ feature: RAMP }), await start({ feature: RAMP })] as const;
    assert.equal((await change(one, 'resume')).status, 200);
    const { keys } = await etcd.range('strangler/flags');
    const edited = JSON.parse(keys[0]!.value) as Flags;
    edited.flags.images.targeting = {
      fractional: [
        ['image-api', 42],
        ['monolith', 58],
      ],
    };
    await etcd.put('strangler/flags', JSON.stringify(edited));
    for (const router of [one, other])
      await until(async () => (await featureOf(router)).percent === 42, 'the edit to serve');
    // Each router hears of what the other one does a moment after it was done.
    for (const router of [one, other])
      await until(async () => (await featureOf(router)).ramp.state === 'paused', 'the ramp to be paused');
    const entries = await journalOf(other);
    assert.deepEqual(
      entries.filter(({ who }) => who === 'file').map(({ action }) => action),
      ['edit', 'found'],
    );
    await etcd.put('strangler/flags', '{"flags":');
    for (const router of [one, other])
      await until(async () => (await statusOf(router)).flags.state === 'rejected', 'it to be rejected');
    assert.equal((await featureOf(other)).percent, 42);
    assert.equal((await change(one, 'split', { percent: 7 })).status, 409);
    await etcd.put('strangler/flags', CANARY(8));
    await until(async () => (await change(one, 'split', { percent: 9 })).status === 200, 'a change again');
    await until(async () => (await featureOf(other)).percent === 9, 'the other to hear of it');
    assert.deepEqual((await told(other)).slice(-2), ['file edit 8', 'api shift 9']);
    assert.deepEqual(await told(one), await told(other));
  });

  it('fails no request and takes a change within two seconds when the leader of etcd is killed', async () => {
    const [monolith, service] = [await startUpstream('monolith'), await startUpstream('image-api')];
    const upstreams = { monolith: monolith.url, service: service.url };
    const [one, other] = [await start({ upstreams }), await start({ upstreams })];
    const loads = [one, other].map(({ url }) => steadyLoad(Number(new URL(url).port), { kept: 4, fresh: 1 }));
    const leader = await cluster.leader();
    try {
      await until(async () => (await statusOf(one)).flags.stale === false, 'contact');
      await cluster.kill(leader);
      const since = performance.now();
      const [{ status, body, took }, elected] = await Promise.all([
        change(one, 'split', { percent: 33 }).then((answer) => ({
          ...answer,
          took: performance.now() - since,
        })),
        etcd.put('elected', '').then(() => performance.now() - since),
      ]);
      assert.equal(status, 200, JSON.stringify(body));
      // The election is etcd's own time (one to two seconds by its defaults); what comes on top is ours.
      assert.ok(
        took < elected + 1000,
        `${Math.round(took)} ms, of which the election took ${Math.round(elected)}`,
      );
      await until(async () => (await featureOf(other)).percent === 33, 'the other to hear of it', 3000);
      for (const load of loads) {
        const { sent, failures } = await load.stop();
        assert.deepEqual(failures, []);
        assert.ok(sent > 50, `${sent} requests`);
      }
      assert.deepEqual(await told(other), ['file found 0', 'api shift 33']);
    } finally {
      await cluster.start(leader);
      await Promise.all([...loads.map((load) => load.stop()), monolith.close(), service.close()]);
    }
  });

  it('serves the last known flags while all of etcd is dead, through a restart, and is fresh again after', async () => {
    const first = await start();
    const { dir } = first;
    assert.equal((await change(first, 'split', { percent: 30 })).status, 200);
    await killAll();
    await until(async () => (await statusOf(first)).flags.stale, 'it to be stale', 5000);
    const { flags } = await statusOf(first);
    assert.equal(flags.state, 'applied');
    assert.ok(Date.parse(flags.staleSince!) > Date.now() - 60_000);
    assert.match((await first.cli('status')).stdout, /flags: STALE since .*127\.0\.0\.1/);
    assert.match(await (await fetch(`${first.adminUrl}/metrics`)).text(), /strangler_flags_stale 1/);
    assert.equal((await fetch(`${first.adminUrl}/readyz`)).status, 200);
    const refused = await change(first, 'split', { percent: 31 });
    assert.equal(refused.status, 503);
    assert.match(String(refused.body['detail']), /etcd did not answer .* nothing was changed; kill works/);
    assert.equal((await change(first, 'kill')).body['state'], 'DISABLED');
    first.child.kill('SIGKILL');

    const second = await start({ dir });
    assert.deepEqual([(await featureOf(second)).percent, (await featureOf(second)).state], [30, 'DISABLED']);
    assert.equal((await statusOf(second)).flags.stale, true);
    assert.equal((await change(second, 'resume')).body['state'], 'ENABLED');
    await startAll();
    await until(async () => !(await statusOf(second)).flags.stale, 'it to be fresh', 5000);
    assert.equal((await change(second, 'split', { percent: 32 })).status, 200);
    // A router shows what it has still to send, too.
    const common = async (): Promise<number> =>
      (await etcd.range('strangler/journal/', { end: 'strangler/journal0', countOnly: true })).count;
    await until(
      async () => (await common()) >= 5,
      'what was journalled meanwhile to be in the common journal',
    );
    assert.equal(await common(), 5);
    assert.deepEqual((await told(second)).toSorted(), [
      'api kill 30',
      'api resume 30',
      'api shift 30',
      'api shift 32',
      'file found 0',
    ]);
  });

  it('reaches the workers of a router too, which starts again with what control kept', async () => {
    const [one, other] = [await start({ top: 'workers: 2' }), await start()];
    const { etag } = (await change(one, 'split', { percent: 21 })).body;
    await until(async () => (await featureOf(other)).etag === etag, 'the other router');
    assert.equal((await change(other, 'split', { percent: 22 })).status, 200);
    await until(async () => {
      const { workers, version, features } = await statusOf(one);
      return features[0]!.percent === 22 && workers!.every((worker) => worker.version === version);
    }, 'the workers');
    await killAll();
    try {
      await one.kill('SIGKILL');
      const again = await start({ dir: one.dir, top: 'workers: 2' });
      const { flags, features } = await statusOf(again);
      assert.deepEqual([flags.stale, features[0]!.percent], [true, 22]);
    } finally {
      await startAll();
    }
    await cluster.ready();
  });

  it('does not start with neither etcd nor what it kept, and says so', async () => {
    await assert.rejects(
      startEtcdRouter({ urls: ['http://127.0.0.1:1'] }),
      /exited with 2: etcd strangler\/flags: etcd did not answer .*ECONNREFUSED.* keeps no flags of an earlier life/,
    );
  });

  it('has one leader that ramps, and another within its lease when that one is killed', async () => {
    const pair = [await start({ feature: RAMP }), await start({ feature: RAMP })];
    const leader = async (): Promise<number> => {
      const { keys } = await etcd.range('strangler/ramp/leader');
      return pair.findIndex(({ child }) => keys[0]?.value.includes(`.${child.pid}.`));
    };
    await until(async () => (await leader()) !== -1, 'a leader');
    const led = await leader();
    const next = pair[1 - led]!;
    assert.equal((await change(next, 'resume')).status, 200);
    await until(async () => (await featureOf(next)).percent! >= 2, 'the first steps', 20_000);
    await pair[led]!.kill('SIGKILL');
    await until(async () => (await leader()) === 1 - led, 'the other to lead', 20_000);
    await until(async () => (await featureOf(next)).percent === 10, 'the last step', 40_000);
    const steps = (await told(next)).filter((line) => line.startsWith('ramp'));
    assert.deepEqual(
      steps,
      Array.from({ length: 10 }, (_, step) => `ramp step ${step + 1}`),
    );
  });
});

interface Flags {
  readonly flags: { readonly images: { targeting: unknown } };
}
