import { startEtcd, type Etcd } from '../support/etcd.ts';
import { duel, startEtcdRouter } from '../support/many-routers.ts';
import type { RouterProcess } from '../support/router.ts';

describe('two routers that change one flag at the same moment, for long', () => {
  let cluster: Etcd;
  const routers: RouterProcess[] = [];
  before(async function () {
    this.timeout(60_000);
    cluster = await startEtcd(3);
    for (let n = 0; n < 2; n++) routers.push(await startEtcdRouter({ urls: cluster.urls }));
  });
  after(async () => {
    await Promise.all(routers.map((router) => router.stop()));
    await cluster.stop();
  });

  const rounds = Number(process.env['DUELS'] ?? 1000);
  it(`has one winner, ${rounds} times, and a complete journal`, async () => {
    await duel([routers[0]!, routers[1]!], rounds);
  }).timeout(rounds * 3000);
});
