import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { Agent } from 'node:http';
import { routeTo, testbed, until, upstreamAt, type Testbed } from '../../router/forward/testbed.ts';
import { ask, end, load, start } from './load.ts';

describe('upstreams that die', () => {
  const children: ChildProcess[] = [];
  let bed: Testbed | null = null;
  const upstream = async (
    ...args: string[]
  ): Promise<{ process: ChildProcess; port: number; url: string }> => {
    const started = await start('upstream.ts', ...args);
    children.push(started.process);
    return { ...started, url: `http://127.0.0.1:${started.port}` };
  };
  const counts = async (port: number): Promise<Record<string, number>> => {
    const agent = new Agent();
    const { body } = await ask(port, 'GET', '/counts', agent);
    return JSON.parse(body) as Record<string, number>;
  };
  afterEach(async () => {
    for (const child of children.splice(0)) await end(child);
    await bed?.close();
    bed = null;
  });

  it('closes idle connections at random: no read fails, no write is executed twice', async () => {
    const one = await upstream('one', '0', '20');
    bed = await testbed(() => routeTo('m'), [upstreamAt('m', one.url)]);
    // Pauses of a few milliseconds between requests are what it takes to meet the race.
    const reads = await load(bed.listening.port, 10_000, 16, (index) =>
      index % 10 === 9 ? ['POST', `/p?id=${index}`] : ['GET', '/g'],
    );
    const failed = reads.filter(({ status }, index) => status !== 200 && index % 10 !== 9);
    assert.equal(failed.length, 0);
    const twice = Object.entries(await counts(one.port)).filter(([, count]) => count > 1);
    assert.deepEqual(twice, []);
    const [status] = bed.dataPath.instances();
    assert.equal(status!.instances[0]!.failures, 0);
    assert.equal(status!.retries, 0);
  }).timeout(60_000);

  it('the only instance is killed under load: every read is answered, no write twice, and it is used again when it is back', async () => {
    const monolith = await upstream('monolith');
    let service = await upstream('service');
    const { port } = service;
    bed = await testbed(
      (head) => routeTo('service', { fallback: head.method === 'GET' ? 'monolith' : null }),
      [upstreamAt('service', service.url), upstreamAt('monolith', monolith.url)],
    );
    const before = await load(bed.listening.port, 200, 8, (index) => ['POST', `/p?id=${index}`]);
    assert.ok(before.every(({ status }) => status === 200));
    const executed = await counts(port);
    const answers = await load(
      bed.listening.port,
      4000,
      16,
      (index) => (index % 5 === 4 ? ['POST', `/p?id=x${index}`] : ['GET', '/g']),
      (done) => void (done === 1000 && service.process.kill('SIGKILL')),
    );
    assert.equal(Math.max(...Object.values(executed)), 1);
    const reads = answers.filter((_, index) => index % 5 !== 4);
    // An answer that had begun when the service died is cut; at this size that is none.
    assert.deepEqual(
      reads.filter(({ status }) => status !== 200),
      [],
    );
    assert.ok(reads.some(({ body }) => body === 'service') && reads.some(({ body }) => body === 'monolith'));
    assert.equal(bed.dataPath.instances()[0]!.instances[0]!.breaker, 'open');
    assert.equal(bed.dataPath.instances()[0]!.retries, 0);
    service = await upstream('service', String(port));
    const agent = new Agent({ keepAlive: true });
    let isBack = false;
    for (const stop = Date.now() + 5000; Date.now() < stop && !isBack;)
      isBack = (await ask(bed.listening.port, 'GET', '/g', agent)).body === 'service';
    agent.destroy();
    assert.ok(isBack);
  }).timeout(60_000);

  for (const [what, signal] of [
    ['killed', 'SIGKILL'],
    ['stalled', 'SIGSTOP'],
  ] as const)
    it(`one of three instances is ${what}: no read fails, and few are tried twice`, async () => {
      const three = [await upstream('a'), await upstream('b'), await upstream('c')];
      bed = await testbed(
        () => routeTo('m'),
        [
          {
            ...upstreamAt('m', ...three.map(({ url }) => url)),
            timeouts: { connect: 500, response: 1500, idle: 4000 },
          },
        ],
      );
      const answers = await load(
        bed.listening.port,
        3000,
        12,
        () => ['GET', '/g'],
        (done) => void (done === 500 && three[1]!.process.kill(signal)),
      );
      assert.deepEqual(
        answers.filter(({ status }) => status !== 200),
        [],
      );
      await until(() => bed!.dataPath.instances()[0]!.inFlight === 0, 'nothing is under way');
      const [status] = bed.dataPath.instances();
      assert.equal(status!.instances[1]!.breaker === 'closed', false);
      assert.ok(status!.retries <= 300, `${status!.retries} retries`);
    }).timeout(60_000);
});
