import assert from 'node:assert/strict';
import { createEtcd, endOf, type Etcd as Client } from '../../router/etcd/client.ts';
import type { EtcdError } from '../../router/etcd/post.ts';
import { watchPrefix, type Change, type Watch } from '../../router/etcd/watch.ts';
import { startEtcd, type Etcd } from '../support/etcd.ts';
import { until } from '../support/until.ts';

describe('the etcd client, on three real members', function () {
  this.timeout(90_000);
  let cluster: Etcd;
  let etcd: Client;
  before(async () => {
    cluster = await startEtcd(3);
    etcd = createEtcd({ urls: cluster.urls });
  });
  after(async () => {
    etcd.close();
    await cluster.stop();
  });

  it('puts, ranges, pages and removes', async () => {
    for (const n of [1, 2, 3]) await etcd.put(`r/${n}`, `värde ${n}`);
    const all = await etcd.range('r/', { end: endOf('r/') });
    assert.deepEqual(
      all.keys.map(({ key, value }) => [key, value]),
      [1, 2, 3].map((n) => [`r/${n}`, `värde ${n}`]),
    );
    const page = await etcd.range('r/', { end: endOf('r/'), limit: 2, order: 'descending', keysOnly: true });
    assert.deepEqual([page.keys.map(({ key, value }) => key + value), page.count], [['r/3', 'r/2'], 3]);
    await etcd.remove('r/2');
    assert.equal((await etcd.range('r/2')).keys.length, 0);
    const then = await etcd.range('r/2', { revision: all.revision });
    assert.equal(then.keys[0]?.value, 'värde 2', 'as of a revision');
  });

  it('swaps once: the second of two transactions on one revision takes the other branch', async () => {
    const revision = await etcd.put('t', 'one');
    const swap = (to: string) =>
      etcd.txn(
        [
          { key: 't', modified: revision },
          { key: `t/${to}`, created: 0 },
        ],
        [
          { put: 't', value: to },
          { put: `t/${to}`, value: '' },
        ],
        [{ range: 't' }],
      );
    const [two, three] = await Promise.all([swap('two'), swap('three')]);
    assert.notEqual(two.succeeded, three.succeeded);
    const winner = two.succeeded ? 'two' : 'three';
    assert.equal((two.succeeded ? three : two).ranges[0]?.keys[0]?.value, winner);
  });

  it('keeps a key as long as its lease', async () => {
    const lease = await etcd.grant(3);
    await etcd.put('l', 'x', lease);
    assert.ok((await etcd.keepAlive(lease)) > 0);
    await until(async () => (await etcd.range('l')).keys.length === 0, 'the lease to end');
    assert.equal(await etcd.keepAlive(lease), 0);
    await etcd.revoke(lease);
    await assert.rejects(
      etcd.put('l', 'x', lease),
      (error: EtcdError) => error.kind === 'refused' && /lease not found/.test(error.message),
    );
  });

  it('says who did not answer what, when nobody does', async () => {
    const nobody = createEtcd({ urls: ['http://127.0.0.1:1', 'http://127.0.0.1:2'], deadline: 2000 });
    await assert.rejects(nobody.put('a', 'b'), (error: EtcdError) => {
      assert.equal(error.kind, 'unanswered');
      assert.match(
        error.message,
        /did not answer kv\/put \(http:\/\/127\.0\.0\.1:1: ECONNREFUSED; http:\/\/127\.0\.0\.1:2: ECONNREFUSED\)/,
      );
      return true;
    });
    nobody.close();
  });

  it('loses no write and no change when the leader is killed, and hears of each once', async () => {
    const heard: string[] = [];
    const watch = await follow('k/', (changes) => heard.push(...changes.map(({ value }) => value)));
    const leader = await cluster.leader();
    let worst = 0;
    const killed = Promise.withResolvers<void>();
    for (let n = 0; n < 100; n++) {
      if (n === 30) cluster.kill(leader).then(killed.resolve, killed.reject);
      const start = performance.now();
      await etcd.put('k/', String(n));
      worst = Math.max(worst, performance.now() - start);
    }
    await killed.promise;
    await until(
      () => heard.includes('99'),
      () => `the last write; heard ${heard.length}`,
      5000,
    );
    watch.close();
    assert.ok(worst < 3000, `worst write ${Math.round(worst)} ms`);
    // A write whose answer was lost is repeated, and then heard twice.
    assert.deepEqual(
      [...new Set(heard)],
      Array.from({ length: 100 }, (_, n) => String(n)),
    );
    await cluster.start(leader);
  });

  it('leaves a frozen member within two seconds', async () => {
    let contact: string | null = 'not yet';
    const heard: Change[] = [];
    const only = createEtcd({ urls: [cluster.urls[0]!, cluster.urls[1]!] });
    const watch = watchPrefix({
      etcd: only,
      prefix: 'f/',
      onRead: () => {},
      onChanges: (changes) => heard.push(...changes),
      onContact: (trouble) => (contact = trouble),
    });
    await until(() => contact === null, 'contact');
    cluster.signal(0, 'SIGSTOP');
    try {
      const start = performance.now();
      await etcd.put('f/a', '1');
      await until(() => heard.length > 0, 'the change', 5000);
      assert.ok(performance.now() - start < 4000, `${Math.round(performance.now() - start)} ms`);
      assert.deepEqual(
        heard.map(({ key, value }) => key + value),
        ['f/a1'],
      );
      await until(() => contact === null, 'contact again');
    } finally {
      cluster.signal(0, 'SIGCONT');
      watch.close();
      only.close();
    }
    await cluster.ready();
  });

  it('reads all anew when what it missed was compacted', async () => {
    await etcd.put('c/a', '1');
    const from = (await etcd.range('c/a')).revision;
    await etcd.put('c/a', '2');
    await etcd.remove('c/a');
    const last = await etcd.put('c/b', '3');
    await post(cluster.urls[0]!, 'kv/compaction', { revision: String(last), physical: true });
    const reads: string[][] = [];
    const watch = watchPrefix({
      etcd,
      prefix: 'c/',
      from,
      onRead: (keys) => reads.push(keys.map(({ key }) => key)),
      onChanges: (changes) => reads.push(changes.map(({ kind, key }) => `${kind} ${key}`)),
    });
    await until(() => reads.length > 0, 'a read');
    await etcd.remove('c/b');
    await until(() => reads.length > 1, 'a change');
    watch.close();
    assert.deepEqual(reads, [['c/b'], ['removed c/b']]);
  });

  it('says that it has lost contact, and that it is back', async () => {
    const contacts: (string | null)[] = [];
    const watch = await follow('g/', () => {}, contacts);
    await Promise.all([0, 1, 2].map((member) => cluster.kill(member)));
    await until(() => contacts.length >= 2, 'the loss');
    assert.match(contacts[1]!, /^http:\/\/127\.0\.0\.1:\d+: /);
    await Promise.all([0, 1, 2].map((member) => cluster.start(member)));
    await until(() => contacts.length >= 3, 'the return');
    assert.equal(contacts[2], null);
    watch.close();
  });

  async function follow(
    prefix: string,
    onChanges: (changes: readonly Change[]) => void,
    contacts: (string | null)[] = [],
  ): Promise<Watch> {
    const watch = watchPrefix({
      etcd,
      prefix,
      onRead: () => {},
      onChanges,
      onContact: (trouble) => contacts.push(trouble),
    });
    await until(() => contacts.at(-1) === null, 'contact');
    return watch;
  }
});

async function post(url: string, path: string, body: unknown): Promise<void> {
  const answer = await fetch(`${url}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) });
  assert.ok(answer.ok, await answer.text());
}
