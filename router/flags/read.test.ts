import assert from 'node:assert/strict';
import { MemoryStorage, FlagdCore } from '@openfeature/flagd-core';
import { parseConfig } from '../config/parse.ts';
import type { Config } from '../config/schema.ts';
import { readFlags } from './read.ts';
import { plainSplit, type Json } from './targeting.ts';

const config = parseConfig(
  `flags: { file: flags.json }
upstreams: { monolith: { url: http://127.0.0.1:1 }, image-api: { url: http://127.0.0.1:2 } }
default: monolith
features:
  images: { upstream: image-api, flag: images, key: [{ header: x }], routes: [{ match: "GET /images/{id}", effect: read }] }
`,
  {},
).config as Config;

const cohort = (percent: number): Json => ({
  if: [{ '==': [{ var: 'host' }, 'beta'] }, 'image-api', plainSplit('image-api', 'monolith', percent)],
});
const fileOf = (flag: Record<string, unknown>): string =>
  JSON.stringify(
    {
      flags: {
        images: {
          state: 'ENABLED',
          variants: { monolith: 'monolith', 'image-api': 'image-api' },
          defaultVariant: 'monolith',
          ...flag,
        },
      },
    },
    null,
    2,
  );
const inStage = (stage: string, targeting: Json, more = {}): string =>
  fileOf({ targeting, metadata: { stage }, ...more });
const faultOf = (text: string): string => {
  const [fault] = readFlags(text, config).faults;
  return fault ? `${fault.path}: ${fault.message}` : 'none';
};

describe('the flag file', () => {
  it('gives what flagd gives, and says whether the share decided', () => {
    const text = inStage('canary', cohort(30));
    const flag = readFlags(text, config).flags.get('images')!;
    const storage = new MemoryStorage({ debug() {}, info() {}, warn() {}, error() {} });
    storage.setConfigurations(text, true);
    const reader = new FlagdCore(storage, { debug() {}, info() {}, warn() {}, error() {} });
    for (let i = 0; i < 2000; i++) {
      const context = { targetingKey: `user-${i}`, host: i % 10 === 0 ? 'beta' : 'shop' };
      const { upstream, bucketed } = flag.evaluate(context);
      assert.equal(upstream, reader.resolveStringEvaluation('images', 'monolith', context).value);
      assert.equal(bucketed, i % 10 !== 0);
    }
    assert.deepEqual([flag.stage, flag.percent, flag.state], ['canary', 30, 'ENABLED']);
  });

  it('splits 10,000 keys as asked, and raising the share only adds keys', () => {
    const inside = (percent: number): Set<number> => {
      const flag = readFlags(
        inStage('canary', plainSplit('image-api', 'monolith', percent)),
        config,
      ).flags.get('images')!;
      return new Set(
        [...Array(10_000).keys()].filter(
          (i) => flag.evaluate({ targetingKey: `k${i}` }).upstream === 'image-api',
        ),
      );
    };
    const [ten, twenty] = [inside(10), inside(20)];
    assert.ok(ten.size >= 900 && ten.size <= 1100, `${ten.size} of 10,000 at 10 %`);
    assert.ok([...ten].every((key) => twenty.has(key)));
    assert.deepEqual(inside(10), ten);
  });

  it('agrees with its stage, or is refused', () => {
    const at = (stage: string, percent: number): string =>
      faultOf(inStage(stage, plainSplit('image-api', 'monolith', percent)));
    for (const [stage, percent] of [
      ['off', 0],
      ['shadow', 0],
      ['canary', 0],
      ['canary', 55],
      ['canary', 100],
      ['live', 100],
      ['retired', 100],
    ] as const)
      assert.equal(at(stage, percent), 'none');
    for (const [stage, percent] of [
      ['off', 1],
      ['shadow', 100],
      ['live', 99],
      ['retired', 0],
    ] as const)
      assert.match(at(stage, percent), /disagrees with stage/);
    assert.match(faultOf(inStage('off', cohort(0))), /disagrees with stage off/);
    assert.match(
      faultOf(inStage('canary', plainSplit('image-api', 'monolith', 5), { defaultVariant: 'image-api' })),
      /defaultVariant/,
    );
    assert.match(
      faultOf(inStage('beta', plainSplit('image-api', 'monolith', 0))),
      /off, shadow, canary, live, retired/,
    );
  });

  it('refuses what would be served wrongly', () => {
    const split = plainSplit('image-api', 'monolith', 10);
    assert.match(faultOf(''), /empty/);
    assert.match(faultOf(inStage('canary', split).slice(0, -20)), /is not JSON/);
    assert.match(faultOf('{}'), /required property 'flags'/);
    assert.match(faultOf('{"flags":{}}'), /flags.images: is missing/);
    assert.match(faultOf(inStage('canary', { bogus: [1] })), /"bogus" is not an operator/);
    assert.match(
      faultOf(
        inStage('canary', {
          fractional: [
            ['image-api', 10.5],
            ['monolith', 89.5],
          ],
        }),
      ),
      /targeting/,
    );
    assert.match(
      faultOf(
        inStage('canary', {
          fractional: [
            ['images', 10],
            ['monolith', 90],
          ],
        }),
      ),
      /answers with "images"/,
    );
    assert.match(
      faultOf(inStage('canary', split, { variants: { monolith: 'monolith' } })),
      /lacks "image-api"/,
    );
    assert.match(
      faultOf(
        inStage('canary', split, {
          variants: { monolith: 'monolith', 'image-api': 'image-api', third: 'x' },
        }),
      ),
      /third: is not an upstream/,
    );
  });

  it('says the line of a fault', () => {
    const text = inStage('beta', plainSplit('image-api', 'monolith', 0));
    const line = text.split('\n').findIndex((each) => each.includes('"stage"')) + 1;
    assert.equal(readFlags(text, config).faults[0]?.line, line);
  });

  it('lets flags of other applications live in the same file', () => {
    const text = JSON.parse(inStage('off', plainSplit('image-api', 'monolith', 0))) as {
      flags: Record<string, unknown>;
    };
    text.flags['banner'] = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' };
    assert.equal(faultOf(JSON.stringify(text)), 'none');
  });
});
