import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { until } from '../support/until.ts';

const CLIENTS = 50;
const yaml = (monolith: string, service: string): string => `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "${monolith}" }, image-api: { url: "${service}" } }
default: monolith
features:
  images: { upstream: image-api, flag: images, key: [{ header: x-user-id }], routes: [{ match: "GET /images/{id}", effect: read }] }
`;

interface Client {
  answers: number;
  /** Of requests that got no 200, with what was said instead. */
  readonly failures: string[];
  isTold: boolean;
}

describe('SIGTERM under load', () => {
  let upstreams: Upstream[];
  let router: RouterProcess;
  const agents: Agent[] = [];
  beforeEach(async () => {
    upstreams = await Promise.all(['monolith', 'image-api'].map(startUpstream));
    // Most take so long that many are under way, and so short that clients are often between two; some outlast the moment of the signal by far.
    for (const upstream of upstreams)
      upstream.handle = ({ url }, response) =>
        void setTimeout(() => response.end('x'), url === '/images/slow' ? 700 : 5);
    router = await startRouter({
      yaml: yaml(upstreams[0]!.url, upstreams[1]!.url),
      flags: CANARY(50),
    });
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.destroy();
    await router?.stop();
    for (const upstream of upstreams) await upstream.close();
  });

  /** Asks again and again on its one connection until an answer says that it was the last. */
  const keepAsking = async (client: Client, key: number): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    while (!client.isTold && client.failures.length === 0)
      await new Promise<void>((done) => {
        const fail = (what: string): void => {
          client.failures.push(what);
          done();
        };
        const outgoing = request(
          `${router.url}/images/${(client.answers + key) % 10 === 0 ? 'slow' : '1'}`,
          { agent, headers: { 'x-user-id': String(key) } },
          (answer) => {
            answer.on('error', ({ message }) => fail(message));
            answer.resume().on('end', () => {
              if (answer.statusCode !== 200) return fail(`status ${answer.statusCode}`);
              client.answers++;
              client.isTold = answer.headers.connection === 'close';
              done();
            });
          },
        );
        outgoing.on('error', ({ message }) => fail(message));
        outgoing.end();
      });
  };

  it(`fails no request of ${CLIENTS} busy clients, tells each which answer is its last, and ends with 0 within 10 s`, async () => {
    const clients = Array.from({ length: CLIENTS }, (): Client => ({
      answers: 0,
      failures: [],
      isTold: false,
    }));
    const asking = clients.map((client, index) => keepAsking(client, index));
    await until(() => clients.every(({ answers }) => answers >= 5), 'all clients to be busy');
    let complaints = '';
    router.child.stderr!.on('data', (bytes: Buffer) => (complaints += bytes.toString()));
    const started = performance.now();
    const code = await router.kill('SIGTERM');
    const took = performance.now() - started;
    await Promise.all(asking);
    assert.deepEqual(
      clients.flatMap(({ failures }) => failures),
      [],
    );
    assert.ok(clients.every(({ isTold }) => isTold));
    assert.equal(code, 0, complaints);
    assert.ok(took < 10_000, `${took.toFixed(0)} ms`);
    // A read whose connection the upstream closed just then is asked again, so there may be more of them.
    const answered = clients.reduce((sum, { answers }) => sum + answers, 0);
    assert.ok(upstreams.reduce((sum, { seen }) => sum + seen.length, 0) >= answered);
  });
});
