import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import * as emailApi from '../../extracted/email-api/registry.ts';
import * as imageApi from '../../extracted/image-api/registry.ts';
import * as monolith from '../../monolith/registry.ts';
import { startEtcd, type Etcd } from '../support/etcd.ts';
import { until } from '../support/until.ts';

const log = { info: () => undefined, warn: () => undefined };
const NOTHING = { etcdUrls: [], name: null, url: null };

/** Each service has a copy of its own: they are held to the same here. */
for (const [service, { openRegistry, registrySettings, reachableUrl }] of Object.entries({
  monolith,
  'image-api': imageApi,
  'email-api': emailApi,
})) {
  describe(`the registry of the ${service}`, function () {
    this.timeout(60_000);
    let etcd: Etcd;
    const open: { leave(): Promise<void> }[] = [];
    before(async () => (etcd = await startEtcd(3)));
    after(async () => {
      await Promise.all(open.map((registry) => registry.leave()));
      await etcd.stop();
    });

    const settings = (more: Record<string, string> = {}) =>
      registrySettings({ ETCD_URLS: etcd.urls.join(), ...more });
    function start(more: Record<string, string> = {}): ReturnType<typeof openRegistry> {
      const registry = openRegistry(settings(more), log);
      open.push(registry);
      return registry;
    }
    async function post(path: string, body: object): Promise<Record<string, unknown>> {
      for (const url of etcd.urls)
        try {
          const init = { method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(2000) };
          const response = await fetch(`${url}/v3/${path}`, init);
          if (response.ok) return (await response.json()) as Record<string, unknown>;
        } catch {
          // The next one.
        }
      return {};
    }
    async function entries(name: string): Promise<{ key: string; value: string; lease: string }[]> {
      const [key, range_end] = ['/', '0'].map((last) => btoa(`strangler/services/${name}${last}`));
      const { kvs = [] } = (await post('kv/range', { key, range_end })) as {
        kvs?: { key: string; value: string; lease: string }[];
      };
      return kvs.map((kv) => ({ ...kv, key: atob(kv.key), value: atob(kv.value) }));
    }
    const listed = async (name: string, count: number): Promise<void> =>
      until(async () => (await entries(name)).length === count, `${count} of ${name}`, 15_000);

    it('lists the process under a lease, and takes it out at once', async () => {
      const registry = start();
      registry.join('a', 'http://127.0.0.1:4001');
      await listed('a', 1);
      const [entry] = await entries('a');
      assert.equal(entry!.key, 'strangler/services/a/127.0.0.1:4001');
      assert.deepEqual(JSON.parse(entry!.value), { url: 'http://127.0.0.1:4001' });
      const { grantedTTL } = (await post('lease/timetolive', { ID: entry!.lease })) as { grantedTTL: string };
      assert.equal(grantedTTL, '10');
      await registry.leave();
      assert.deepEqual(await entries('a'), []);
    });

    it('says what the settings say', async () => {
      const registry = start({ SERVICE_NAME: 'b', SERVICE_URL: 'https://10.0.0.7' });
      registry.join('a', 'http://127.0.0.1:4001');
      await listed('b', 1);
      assert.equal((await entries('b'))[0]!.value, '{"url":"https://10.0.0.7"}');
    });

    it('lists it anew when the lease is lost, and with another member when one is dead', async () => {
      start().join('c', 'http://127.0.0.1:4002');
      await listed('c', 1);
      const { lease } = (await entries('c'))[0]!;
      await etcd.kill(0);
      await until(async () => {
        const [now] = await entries('c');
        if (now?.lease === lease) await post('lease/revoke', { ID: lease });
        return now !== undefined && now.lease !== lease;
      }, 'another lease');
      await etcd.start(0);
    });

    it('lists it anew when its entry is lost and the lease is not', async () => {
      start().join('e', 'http://127.0.0.1:4004');
      await listed('e', 1);
      await post('kv/deleterange', { key: btoa('strangler/services/e/127.0.0.1:4004') });
      await listed('e', 1);
    });

    it('begins when etcd begins, and leaves within 1.5 s when it is gone', async () => {
      for (const member of [0, 1, 2]) await etcd.kill(member);
      const registry = start();
      registry.join('d', 'http://127.0.0.1:4003');
      await Promise.all([0, 1, 2].map((member) => etcd.start(member)));
      await etcd.ready();
      await listed('d', 1);
      for (const member of [0, 1, 2]) etcd.signal(member, 'SIGSTOP');
      const from = performance.now();
      await registry.leave();
      assert.ok(performance.now() - from < 1500);
      for (const member of [0, 1, 2]) etcd.signal(member, 'SIGCONT');
    });

    it('is not there without ETCD_URLS, and refuses what is no URL', async () => {
      assert.deepEqual(registrySettings({ ETCD_URLS: '', SERVICE_URL: '', SERVICE_NAME: '' }), NOTHING);
      const registry = openRegistry(NOTHING, log);
      registry.join('a', 'http://127.0.0.1:1');
      await registry.leave();
      for (const [name, value] of Object.entries({ ETCD_URLS: 'a:1', SERVICE_URL: 'x', SERVICE_NAME: 'a/b' }))
        assert.throws(() => registrySettings({ [name]: value }), new RegExp(`^Error: ${name}`));
      const secret = { ETCD_URLS: 'http://127.0.0.1:2379,http://u:secret@127.0.0.1:2379' };
      assert.throws(
        () => registrySettings(secret),
        /^Error: ETCD_URLS: (?!.*secret).* without user and password/,
      );
      assert.equal(reachableUrl('::1', 80), 'http://[::1]:80');
      assert.equal(reachableUrl('0.0.0.0', 80), `http://${hostname()}:80`);
    });

    if (service === 'image-api') return;
    it('passes over what is listed by hand and is no address', async () => {
      const put = (id: string, value: string): Promise<object> =>
        post('kv/put', { key: btoa(`strangler/services/byhand/${id}`), value: btoa(value) });
      const told: unknown[] = [];
      const warn = (fields: object, text: string): void => void told.push([fields, text]);
      const finder = openRegistry(settings(), { ...log, warn } as typeof log);
      open.push(finder);
      const found = (finder as ReturnType<typeof monolith.openRegistry>).find('etcd:byhand');
      for (const [id, value] of [
        '',
        'smtp://127.0.0.1:2525',
        '[',
        'null',
        '{"url":7}',
        '{"url":"x"}',
      ].entries())
        await put(String(id), value);
      await until(() => told.length >= 6, 'all of them to be told');
      assert.equal(found(), null);
      await put('good', '{"url":"smtp://127.0.0.1:2527"}');
      await until(() => found() === 'smtp://127.0.0.1:2527', 'the good one');
    });

    it('finds others, and keeps the last one known', async () => {
      const finder = openRegistry(settings(), log) as ReturnType<typeof monolith.openRegistry>;
      open.push(finder);
      assert.equal(finder.find('smtp://fixed')(), 'smtp://fixed');
      const smtp = finder.find('etcd:smtp');
      assert.equal(smtp(), null);
      const first = start();
      first.join('smtp', 'smtp://127.0.0.1:2525');
      await until(() => smtp() === 'smtp://127.0.0.1:2525', 'the first');
      await first.leave();
      start().join('smtp', 'smtp://127.0.0.1:2526');
      await until(() => smtp() === 'smtp://127.0.0.1:2526', 'the second');
      for (const member of [0, 1, 2]) await etcd.kill(member);
      assert.equal(smtp(), 'smtp://127.0.0.1:2526');
      await Promise.all([0, 1, 2].map((member) => etcd.start(member)));
    });
  });
}
