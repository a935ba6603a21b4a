import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature, type Client, type EvaluationDetails } from '@openfeature/server-sdk';
import { seamFlags } from '../../router/ofrep/testbed.ts';
import { startRouter, startUpstream, type RouterProcess, type Upstream } from './router.ts';

const yaml = (monolith: string, workers: number): string => `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
workers: ${workers}
upstreams: { monolith: { url: "${monolith}" }, image-api: { url: "http://127.0.0.1:2" } }
default: monolith
features:
  images: { upstream: image-api, flag: pictures, key: [{ header: x }], routes: [{ match: "GET /images/{id}", effect: read }] }
  mail:
    kind: seam
    owner: shop-team
    upstream: email-api
    flag: mail
    shadow: { sample: 100% }
    gates: [{ metric: parity, min: 0.9, samples: 10 }]
    retire: { after: 2s }
`;

/** Keys of a hundred customers. */
export const KEYS = Array.from({ length: 100 }, (_, n) => `user-${n}@example.com`);

/** What the service reports of ten jobs that it did beside the monolith, and alike. */
export const RENDERED = {
  side: 'email-api',
  ok: true,
  milliseconds: 3,
  shadow: true,
  parity: 'match',
  count: 10,
};

/** A router process with a seam `mail`, and an application that asks it through OpenFeature's SDK. */
export interface SeamBed {
  readonly router: RouterProcess;
  readonly client: Client;
  /** The file that applications read. */
  appToken(): string;
  /** Has the client ask with another token. */
  use(token: string): Promise<void>;
  side(targetingKey: string): Promise<EvaluationDetails<string>>;
  /** Which of the hundred the service does the work of. */
  served(): Promise<string[]>;
  change(verb: string, body?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Posts as the application does; answers the status. */
  observe(...observations: object[]): Promise<number>;
}

/** Called in a `describe`: each test has a router of its own, with the seam off. */
export function useSeam(workers: number): SeamBed {
  let monolith: Upstream;
  let router: RouterProcess;
  let client: Client;
  beforeEach(async () => {
    monolith = await startUpstream('monolith');
    router = await startRouter({ yaml: yaml(monolith.url, workers), flags: seamFlags('off', 0) });
    await bed.use(bed.appToken());
  });
  afterEach(async () => {
    await OpenFeature.close();
    if (router.child.exitCode === null) await router.kill('SIGTERM');
    await Promise.all([router.stop(), monolith.close()]);
  });

  const bed: SeamBed = {
    get router() {
      return router;
    },
    get client() {
      return client;
    },
    appToken: () => readFileSync(join(router.dir, '.data/app-token'), 'utf8').trim(),
    async use(token) {
      const headers: [string, string][] = [['Authorization', `Bearer ${token}`]];
      await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: router.adminUrl, headers }));
      client = OpenFeature.getClient();
    },
    side: (targetingKey) => client.getStringDetails('mail', 'the-default', { targetingKey }),
    async served() {
      const sides = await Promise.all(KEYS.map(async (key) => (await bed.side(key)).value));
      return KEYS.filter((_, index) => sides[index] === 'email-api');
    },
    async change(verb, body = {}) {
      const { status, body: answer } = await router.change(`/mail/${verb}`, body);
      assert.equal(status, 200, JSON.stringify(answer));
      return answer;
    },
    async observe(...observations) {
      const { status } = await router.admin('/api/features/mail/observations', {
        method: 'POST',
        headers: { authorization: `Bearer ${bed.appToken()}` },
        body: JSON.stringify({ observations }),
      });
      return status;
    },
  };
  return bed;
}
