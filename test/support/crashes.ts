import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { FeatureJson, JournalJson } from '../../router/admin/protocol.ts';
import { CANARY, startRouter, type RouterProcess } from './router.ts';

const YAML = `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: http://127.0.0.1:1 }, image-api: { url: http://127.0.0.1:2 } }
default: monolith
features:
  images:
    upstream: image-api
    flag: images
    key: [{ cookie: sid }]
    routes: [{ match: "GET /images/{id}", effect: read }]
    ramp: { steps: [1, 5, 25, 100], hold: 50ms }
`;

/** Longest time from the first change of a life to its end: in milliseconds, and as often as it took to look at the router, for on a busy machine all takes longer. */
const LIFE = 250;
const LOOKS = 6;

type Verb = 'split' | 'pause' | 'resume' | 'kill' | 'rollback';
const VERBS: readonly Verb[] = ['split', 'split', 'pause', 'resume', 'kill', 'rollback'];

/**
 * Kills a router with SIGKILL in the middle of changes, `lives` times, its ramp running now and then. Asserts that each change that was acknowledged is in
 * the journal once, that none is there twice, and that the flag is what the last entry says. Answers how many were acknowledged and how many were cut.
 */
export async function killInTheMiddle(lives: number): Promise<{ acknowledged: number; cut: number }> {
  const dir = mkdtempSync(join(tmpdir(), 'crashes-'));
  const acknowledged: string[] = [];
  let cut = 0;
  let flags = CANARY(0);
  try {
    for (let life = 0; life < lives; life++) {
      const router = await startRouter({ yaml: YAML, flags, dir });
      try {
        const started = performance.now();
        await check(router, acknowledged);
        const span = Math.max(LIFE, LOOKS * (performance.now() - started));
        const end = wait(Math.random() * span).then(() => router.kill('SIGKILL'));
        const changers = ['a', 'b'].map(async (name) => {
          for (let i = 0; ; i++) {
            const why = `${life}${name}${i}`;
            const result = await change(router, why).catch(() => 'cut' as const);
            if (result === 'done') acknowledged.push(why);
            if (result === 'cut') return void cut++;
          }
        });
        await Promise.all([end, ...changers]);
        flags = readFileSync(join(dir, 'flags.json'), 'utf8');
      } finally {
        await router.stop();
      }
    }
    const router = await startRouter({ yaml: YAML, flags, dir });
    try {
      await check(router, acknowledged);
    } finally {
      await router.stop();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return { acknowledged: acknowledged.length, cut };
}

/** One change that anybody might make. `same`: it was refused, or nothing was to change. Rejects when the router is gone. */
async function change(router: RouterProcess, why: string): Promise<'done' | 'same'> {
  const verb = VERBS[Math.floor(Math.random() * VERBS.length)]!;
  const { etag } = await router.admin('/api/features/images');
  const answer = await router.admin(`/api/features/images/${verb}`, {
    method: verb === 'split' ? 'PUT' : 'POST',
    headers: { 'if-match': etag },
    body: JSON.stringify({ why, ...(verb === 'split' ? { percent: Math.floor(Math.random() * 101) } : {}) }),
  });
  assert.ok([200, 409, 412].includes(answer.status), JSON.stringify(answer));
  return answer.status === 200 && answer.etag !== etag ? 'done' : 'same';
}

async function check(router: RouterProcess, acknowledged: readonly string[]): Promise<void> {
  const pause = await router.change('/images/pause', {});
  assert.equal(pause.status, 200, JSON.stringify(pause));
  const { entries } = (await router.admin('/api/journal?limit=10000')).body as unknown as JournalJson;
  const feature = (await router.admin('/api/features/images')).body as unknown as FeatureJson;
  const times = new Map<string, number>();
  for (const { why, who } of entries) if (who === 'api') times.set(why, (times.get(why) ?? 0) + 1);
  for (const why of acknowledged) assert.equal(times.get(why), 1, `${why} of ${acknowledged.length}`);
  for (const [why, count] of times) if (why !== 'a test') assert.equal(count, 1, why);
  assert.equal(new Set(entries.map(({ id }) => id)).size, entries.length);
  const { stage, percent, state, ramp } = feature;
  assert.deepEqual(entries[0]!.after, { stage, percent, state, ramp: ramp.state });
  assert.deepEqual(
    entries.filter(({ who }) => who === 'file').map(({ action }) => action),
    ['found'],
    'no change of the router’s own passes for an edit by hand',
  );
}
