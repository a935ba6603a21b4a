import assert from 'node:assert/strict';
import type { FeatureJson, JournalJson, StatusJson } from '../../router/admin/protocol.ts';
import type { Entry } from '../../router/journal/journal.ts';
import { CANARY, startRouter, type RouterProcess } from './router.ts';
import { until } from './until.ts';

export interface EtcdRouterOptions {
  readonly urls: readonly string[];
  readonly dir?: string;
  readonly flags?: string;
  readonly upstreams?: { readonly monolith: string; readonly service: string };
  /** Further members of the feature, and of the whole. */
  readonly feature?: string;
  readonly top?: string;
}

/** A router whose flags are in etcd, with a state folder of its own. */
export function startEtcdRouter(options: EtcdRouterOptions): Promise<RouterProcess> {
  const { monolith, service } = options.upstreams ?? {
    monolith: 'http://127.0.0.1:1',
    service: 'http://127.0.0.1:2',
  };
  const yaml = `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json, etcd: "\${ETCD_URLS:-}" }
upstreams: { monolith: { url: "${monolith}" }, image-api: { url: "${service}" } }
default: monolith
${options.top ?? ''}
features:
  images:
    upstream: image-api
    flag: images
    key: [{ cookie: sid }]
    routes: [{ match: "GET /images/{id}", effect: read }]
    ${options.feature ?? ''}
`;
  return startRouter({
    yaml,
    flags: options.flags ?? CANARY(0),
    env: { ETCD_URLS: options.urls.join(',') },
    ...(options.dir ? { dir: options.dir } : {}),
  });
}

export async function featureOf(router: RouterProcess): Promise<FeatureJson> {
  return (await router.admin('/api/features/images')).body as unknown as FeatureJson;
}

export async function statusOf(router: RouterProcess): Promise<StatusJson> {
  return (await router.admin('/api/status')).body as unknown as StatusJson;
}

/** Newest first. */
export async function journalOf(router: RouterProcess): Promise<readonly Entry[]> {
  return ((await router.admin('/api/journal?limit=10000')).body as unknown as JournalJson<Entry>).entries;
}

export interface Duel {
  /** The longest that the routers took to say the same after a change was answered, in milliseconds. */
  readonly worst: number;
  /** How often each won. */
  readonly won: readonly number[];
}

/** Never the share that is there already: a change that changes nothing has no loser. */
function shareOf(round: number, index: number): number {
  return (round * 2 + 1 + index) % 100;
}

/** Has two routers change one flag at the same moment, so many times. Throws unless each time one wins, both agree within a second, and the journal says so. */
export async function duel(routers: readonly [RouterProcess, RouterProcess], rounds: number): Promise<Duel> {
  const before = (await journalOf(routers[0])).length;
  const winners: string[] = [];
  const won = [0, 0];
  let worst = 0;
  for (let round = 0; round < rounds; round++) {
    const { etag } = await featureOf(routers[0]);
    const answers = await Promise.all(
      routers.map((router, index) =>
        router.admin('/api/features/images/split', {
          method: 'PUT',
          headers: { 'if-match': etag },
          body: JSON.stringify({ percent: shareOf(round, index), why: `round ${round} of ${index}` }),
        }),
      ),
    );
    const answered = performance.now();
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted(),
      [200, 412],
      `round ${round}: ${JSON.stringify(answers.map(({ body }) => body))}`,
    );
    const winner = answers.findIndex(({ status }) => status === 200);
    won[winner]! += 1;
    winners.push(`round ${round} of ${winner} → ${shareOf(round, winner)}`);
    await until(
      async () =>
        (await Promise.all(routers.map(featureOf))).every(
          (feature) => feature.etag === answers[winner]!.etag,
        ),
      `both to agree in round ${round}`,
      1000,
    );
    worst = Math.max(worst, performance.now() - answered);
  }
  for (const router of routers) {
    const entries = (await journalOf(router)).toReversed().slice(before);
    assert.deepEqual(
      entries.map(({ why, after }) => `${why} → ${after.percent}`),
      winners,
    );
    assert.ok(
      entries.every(({ who, before: was, at }) => who === 'api' && was !== null && Date.parse(at) > 0),
    );
  }
  return { worst, won };
}
