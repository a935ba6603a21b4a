import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { freePorts } from '../../tools/processes.ts';
import { until } from '../support/until.ts';

/** Instances by DNS SRV, from a real name server. */
describe('instances from dnsmasq', function () {
  this.timeout(60_000);
  let upstreams: Upstream[];
  let dns: ChildProcess | null = null;
  let router: RouterProcess;
  let port: number;

  async function serveDns(ports: readonly number[]): Promise<void> {
    if (dns) {
      const exited = once(dns, 'exit');
      dns.kill('SIGKILL');
      await exited;
    }
    const records = ports.map((each) => `--srv-host=_images._tcp.shop.internal,localhost,${each}`);
    dns = spawn(
      'dnsmasq',
      [
        '--no-daemon',
        '--no-resolv',
        '--no-hosts',
        '--keep-in-foreground',
        `--port=${port}`,
        '--listen-address=127.0.0.1',
        '--bind-interfaces',
        '--conf-file=/dev/null',
        '--pid-file=',
        ...records,
      ],
      { stdio: 'ignore' },
    );
  }
  before(async () => {
    [port] = (await freePorts(1)) as [number];
    upstreams = await Promise.all(['monolith', 'one', 'two'].map(startUpstream));
    const [monolith, one] = upstreams as [Upstream, Upstream];
    await serveDns([one.port]);
    router = await startRouter({
      yaml: `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "${monolith.url}" }, image-api: { dns: { name: _images._tcp.shop.internal, server: "127.0.0.1:${port}", interval: 100ms } } }
default: monolith
features:
  images: { upstream: image-api, flag: images, key: [{ header: x-user-id }], routes: [{ match: "GET /images/{id}", effect: read }] }
`,
      flags: CANARY(100),
    });
  });
  after(async () => {
    await router?.stop();
    dns?.kill('SIGKILL');
    await Promise.all(upstreams.map((upstream) => upstream.close()));
  });

  const answeredBy = async (): Promise<string | null> =>
    (await fetch(`${router.url}/images/1`, { headers: { 'x-user-id': 'ana' } })).headers.get('x-served-by');

  it('follows the records, and keeps the last ones when the name server is gone', async () => {
    await until(async () => (await answeredBy()) === 'one', 'the first instance');
    await serveDns([upstreams[2]!.port]);
    await until(async () => (await answeredBy()) === 'two', 'the second instance');
    dns!.kill('SIGKILL');
    await until(() => router.output().includes('DNS gives no instances; those known stay'), 'the complaint');
    assert.equal(await answeredBy(), 'two');
  });
});
