import assert from 'node:assert/strict';
import { createEtcd, type Etcd as Client } from '../../router/etcd/client.ts';
import { openLease, type Lease } from '../../router/etcd/lease.ts';
import { openEtcdEvidence } from '../../router/metrics/etcd-evidence.ts';
import { openEtcdPeers } from '../../router/metrics/etcd-peers.ts';
import type { Peers } from '../../router/metrics/peers.ts';
import { createWindows, type Windows } from '../../router/metrics/windows.ts';
import { createEtcdLeader } from '../../router/ramp/etcd-leader.ts';
import type { Leader } from '../../router/ramp/leader.ts';
import { startEtcd, type Etcd } from '../support/etcd.ts';
import { until } from '../support/until.ts';

interface Member {
  readonly name: string;
  readonly lease: Lease;
  readonly windows: Windows;
  readonly peers: Peers;
  readonly leader: Leader;
  readonly timer: NodeJS.Timeout;
}

describe('routers of one etcd', function () {
  this.timeout(60_000);
  let cluster: Etcd;
  let etcd: Client;
  const members: Member[] = [];
  before(async () => {
    cluster = await startEtcd(1);
    etcd = createEtcd({ urls: cluster.urls });
  });
  afterEach(async () => {
    for (const { timer, peers, lease } of members.splice(0)) {
      clearInterval(timer);
      peers.close();
      await lease.close();
    }
  });
  after(async () => {
    etcd.close();
    await cluster.stop();
  });

  function join(name: string): Member {
    const lease = openLease(etcd);
    const windows = createWindows({ now: Date.now });
    const peers = openEtcdPeers({ etcd, lease, prefix: 'p/', me: name, windows, now: Date.now });
    const leader = createEtcdLeader(etcd, lease, 'leader', name);
    const member = { name, lease, windows, peers, leader, timer: setInterval(peers.exchange, 100) };
    members.push(member);
    return member;
  }
  const note = (windows: Windows, count: number): void =>
    windows.sample('images', { upstream: 'image-api', ok: true, milliseconds: 5, parity: 'match', count });
  const known = ({ windows }: Member): [number, number] => {
    const { sides, parity } = windows.compared('images', Date.now() - 60_000, Date.now() + 1000);
    return [sides['image-api']?.requests ?? 0, parity.match];
  };
  const present = async (...names: string[]): Promise<void> =>
    await until(async () => {
      const { keys } = await etcd.range('p/', { end: 'p0' });
      return names.every((name) => keys.some(({ key }) => key === `p/${name}`));
    }, 'all to be there');

  it('know what all of them measured, each thing once', async () => {
    const all = ['a', 'b', 'c'].map(join);
    await present('a', 'b', 'c');
    for (let round = 0; round < 5; round++) {
      all.forEach(({ windows }, index) => note(windows, 10 ** index));
      await until(async () => all.every((member) => known(member)[0] >= 111 * (round + 1)), 'all to know');
    }
    for (const member of all) assert.deepEqual(known(member), [555, 555]);
    assert.deepEqual(
      all.flatMap(({ peers }) => peers.silent()),
      [],
    );
  });

  it('name one that goes without a word, and not one that says so', async () => {
    const [here, dies, leaves] = ['here', 'dies', 'leaves'].map(join) as [Member, Member, Member];
    await present('here', 'dies', 'leaves');
    clearInterval(leaves.timer);
    leaves.peers.close();
    await until(
      async () => (await etcd.range('p/leaves')).keys[0]?.value.includes('"left":true') ?? false,
      'its last words',
    );
    await leaves.lease.close();
    clearInterval(dies.timer);
    await etcd.revoke(dies.lease.id()!);
    await until(() => here.peers.silent().length > 0, 'the verdicts to name it');
    assert.deepEqual(here.peers.silent(), ['dies']);
  });

  it('have one leader, who gives the lead up before another can have it', async () => {
    const [one, other] = ['one', 'other'].map(join) as [Member, Member];
    await until(() => one.leader.lead() || other.leader.lead(), 'a leader');
    const [leads, follows] = one.leader.lead() ? [one, other] : [other, one];
    assert.equal(follows.leader.lead(), false);
    cluster.signal(0, 'SIGSTOP');
    try {
      await until(() => !leads.leader.lead(), 'the lead to be given up', 12_000);
      assert.equal(follows.leader.lead(), false);
    } finally {
      cluster.signal(0, 'SIGCONT');
    }
    await until(() => one.leader.lead() !== other.leader.lead(), 'one leader again', 15_000);
    const now = one.leader.lead() ? one : other;
    const next = now === one ? other : one;
    await now.lease.close();
    assert.equal(now.leader.lead(), false);
    await until(() => next.leader.lead(), 'the next one', 5000);
  });

  it('know the newest default answer of all of them', async () => {
    const [one, other] = [await openEtcdEvidence(etcd, 'e'), await openEtcdEvidence(etcd, 'e')];
    one.tell({ images: 1_000_000, mail: 5_000_000 });
    await until(async () => (await etcd.range('e')).keys.length > 0, 'it to be told');
    other.tell({ images: 2_000_000, mail: 1_000_000 });
    await until(async () => (await etcd.range('e')).keys[0]!.value.includes('2000000'), 'the newer one');
    one.tell({});
    await until(() => one.known()['images'] === 2_000_000, 'it to be known');
    assert.deepEqual(one.known(), { images: 2_000_000, mail: 5_000_000 });
  });
});
