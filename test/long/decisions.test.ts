import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCurrent } from '../../router/flags/current.ts';
import type { Plan, RequestHead } from '../../router/forward/plan.ts';
import { createPipeline } from '../../router/pipeline.ts';

const yaml = (features: number, routes: number): string => `flags: { file: flags.json }
upstreams: { monolith: { url: "http://127.0.0.1:1" }, service: { url: "http://127.0.0.1:2" } }
default: monolith
features:
${Array.from(
  { length: features },
  (_, feature) => `  f${feature}:
    upstream: service
    flag: f${feature}
    key: [{ header: x-user-id }, { issue: strangler_id }]
    routes:
${Array.from({ length: routes }, (_, route) => `      - { match: "GET /f${feature}/r${route}/{id}", effect: read }`).join('\n')}
`,
).join('')}`;

const flags = (features: number): string =>
  JSON.stringify({
    flags: Object.fromEntries(
      Array.from({ length: features }, (_, feature) => [
        `f${feature}`,
        {
          state: 'ENABLED',
          variants: { monolith: 'monolith', service: 'service' },
          defaultVariant: 'monolith',
          targeting: {
            fractional: [
              ['service', 50],
              ['monolith', 50],
            ],
          },
          metadata: { stage: 'canary' },
        },
      ]),
    ),
  });

/** As many as are asked in one turn of a round. */
const TURN = 10_000;
const ROUNDS = 200;

describe('the cost of a decision', function () {
  this.timeout(120_000);
  const folders: string[] = [];
  after(() => {
    for (const folder of folders) rmSync(folder, { recursive: true });
  });
  const pipelineOf = (features: number, routes: number): ((head: RequestHead) => Plan) => {
    const folder = mkdtempSync(join(tmpdir(), 'decisions-'));
    folders.push(folder);
    writeFileSync(join(folder, 'strangler.yaml'), yaml(features, routes));
    writeFileSync(join(folder, 'flags.json'), flags(features));
    const { snapshot } = loadCurrent(join(folder, 'strangler.yaml'), folder, {});
    return createPipeline({ snapshot, overrideKey: null, now: Date.now, newId: () => 'id' });
  };
  /** Requests with keys of their own, spread over the routes and as many that belong to none. */
  const headsFor = (features: number, routes: number): RequestHead[] =>
    Array.from({ length: 2000 }, (_, index) => {
      const headers = new Map([
        ['x-user-id', `user-${index}`],
        ['cookie', 'sid=1; strangler_id=2'],
      ]);
      const path = `/f${index % features}/r${Math.floor(index / features) % routes}/${index}`;
      return {
        method: 'GET',
        path: index % 2 === 0 ? path : `/other${path}`,
        query: '',
        readings: null,
        host: 'shop',
        client: '127.0.0.1',
        secure: false,
        header: (name) => headers.get(name),
      };
    });

  it('is at most 1 µs more with 20 features and 500 routes than with one of each', () => {
    const contestants = [
      [1, 1],
      [20, 25],
    ].map(([features, routes]) => ({
      plan: pipelineOf(features!, routes!),
      heads: headsFor(features!, routes!),
      diverted: 0,
    }));
    /** Microseconds a decision. */
    const turn = (contestant: (typeof contestants)[number]): number => {
      const { plan, heads } = contestant;
      const start = performance.now();
      for (let count = 0; count < TURN; count++) {
        const made = plan(heads[count % heads.length]!);
        if ('upstream' in made && made.upstream === 'service') contestant.diverted++;
      }
      return ((performance.now() - start) * 1000) / TURN;
    };
    const [one, many] = contestants;
    const costs: number[] = [];
    const differences: number[] = [];
    // One after the other in every round, so that whatever else the machine does falls on both.
    for (let round = 0; round < ROUNDS; round++) {
      const cost = turn(one!);
      const difference = turn(many!) - cost;
      if (round < ROUNDS / 10) continue;
      costs.push(cost);
      differences.push(difference);
    }
    const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
    console.log(`      ${median(costs).toFixed(2)} µs with one, ${median(differences).toFixed(2)} µs more`);
    for (const { diverted } of contestants) assert.ok(diverted > TURN, 'it decides');
    assert.ok(median(differences) <= 1, `${median(differences).toFixed(2)} µs more`);
  });
});
