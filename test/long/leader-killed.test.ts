import assert from 'node:assert/strict';
import { createEtcd } from '../../router/etcd/client.ts';
import { startEtcd } from '../support/etcd.ts';
import { fixedRate } from '../support/fixed-rate.ts';
import { featureOf, startEtcdRouter } from '../support/many-routers.ts';
import { startUpstream } from '../support/router.ts';
import { until } from '../support/until.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const RATE = 1000;
/** The timings that compose.yaml gives its members; by etcd's defaults an election alone takes up to two seconds and more. */
const TIMINGS = ['--heartbeat-interval=50', '--election-timeout=500'];

describe('the leader of etcd killed under a thousand requests a second', () => {
  it(`fails none, and takes a change within two seconds, ${ROUNDS} times`, async () => {
    const cluster = await startEtcd(3, TIMINGS);
    const etcd = createEtcd({ urls: cluster.urls });
    const [monolith, service] = [await startUpstream('monolith'), await startUpstream('image-api')];
    const router = await startEtcdRouter({
      urls: cluster.urls,
      upstreams: { monolith: monolith.url, service: service.url },
    });
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        const percent = round * 10;
        const load = fixedRate(`${router.url}/images/1`, RATE);
        await until(async () => (await featureOf(router)).percent !== percent, 'contact');
        const leader = await cluster.leader();
        await cluster.kill(leader);
        const since = performance.now();
        const elected = etcd.put('elected', '').then(() => performance.now() - since);
        const { status, body } = await router.change('/images/split', { percent });
        const took = performance.now() - since;
        assert.equal(status, 200, JSON.stringify(body));
        await cluster.start(leader);
        const { sent, perSecond, failures } = await load.stop();
        console.log(
          `        changed after ${took.toFixed()} ms (etcd took a write after ${(await elected).toFixed()} ms), ${failures.length} of ${sent} failed at ${perSecond.toFixed()}/s`,
        );
        assert.deepEqual(failures, []);
        assert.ok(perSecond > 0.95 * RATE, `${perSecond} requests a second`);
        assert.ok(took < 2000, `acknowledged after ${took.toFixed()} ms`);
      }
    } finally {
      await router.stop();
      etcd.close();
      await Promise.all([monolith.close(), service.close(), cluster.stop()]);
    }
  }).timeout(60_000 * ROUNDS);
});
