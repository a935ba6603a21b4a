import assert from 'node:assert/strict';
import { FlagdCore } from '@openfeature/flagd-core';
import { seamFlags, startSeam, type SeamBed } from './testbed.ts';

const ONE = '/ofrep/v1/evaluate/flags/mail';

describe('a flag that an application asks for', () => {
  let bed: SeamBed;
  let drawn = 0;
  const told: string[] = [];
  before(
    async () =>
      (bed = await startSeam({ random: () => drawn, defaultAnswered: (feature) => told.push(feature) })),
  );
  after(() => bed.close());
  beforeEach(() => void ((drawn = 0.99), (told.length = 0)));
  const ask = async (targetingKey: string, more: object = {}): Promise<Record<string, unknown>> => {
    const { status, body } = await bed.post(ONE, { context: { targetingKey, ...more } });
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };

  it('is answered in every stage as a request would be', async () => {
    for (const [stage, weight, side, reason] of [
      ['off', 0, 'monolith', 'STATIC'],
      ['shadow', 0, 'monolith', 'STATIC'],
      ['canary', 0, 'monolith', 'SPLIT'],
      ['canary', 100, 'email-api', 'SPLIT'],
      ['live', 100, 'email-api', 'STATIC'],
      ['retired', 100, 'email-api', 'STATIC'],
    ] as const) {
      bed.set(stage, weight);
      assert.deepEqual(await ask('ana'), {
        key: 'mail',
        value: side,
        variant: side,
        reason,
        metadata: { stage, version: bed.current.snapshot().version, shadow: false },
      });
    }
  });

  it('is the default side’s while the feature is killed, in any stage', async () => {
    for (const [stage, weight] of [
      ['canary', 100],
      ['live', 100],
    ] as const) {
      bed.set(stage, weight, { state: 'DISABLED' });
      drawn = 0;
      const { value, reason, metadata } = await ask('ana');
      assert.deepEqual([value, reason], ['monolith', 'DISABLED']);
      assert.equal(
        (metadata as { shadow: boolean }).shadow,
        false,
        'a service that was killed is left alone',
      );
    }
  });

  it('falls to the bucket that flagd gives the key', async () => {
    bed.set('canary', 37);
    const flagd = new FlagdCore();
    flagd.setConfigurations(seamFlags('canary', 37));
    const sides = new Set<unknown>();
    for (let n = 0; n < 500; n++) {
      const targetingKey = `user-${n}@example.com`;
      const { value } = await ask(targetingKey);
      const wanted = flagd.resolveStringEvaluation('mail', 'none', { targetingKey });
      assert.equal(value, wanted.value, targetingKey);
      sides.add(value);
    }
    assert.equal(sides.size, 2);
  });

  it('lets targeting see the whole context', async () => {
    const targeting = {
      if: [
        { in: [{ var: 'plan.name' }, ['gold', 'silver']] },
        'email-api',
        {
          fractional: [
            ['email-api', 0],
            ['monolith', 100],
          ],
        },
      ],
    };
    bed.set('canary', 0, { targeting });
    const gold = await ask('ana', { plan: { name: 'gold', since: 3 } });
    assert.deepEqual([gold['value'], gold['reason']], ['email-api', 'TARGETING_MATCH']);
    const other = await ask('ana', { plan: 'gold' });
    assert.deepEqual([other['value'], other['reason']], ['monolith', 'SPLIT']);
  });

  it('has the value that the flag file gives the variant', async () => {
    bed.set('canary', 100, { variants: { monolith: false, 'email-api': true } });
    const { value, variant } = await ask('ana');
    assert.deepEqual([value, variant], [true, 'email-api']);
  });

  it('draws what is shadowed, where both sides are there and the default one is the answer', async () => {
    for (const [stage, weight, draw, wanted] of [
      ['shadow', 0, 0.24, true],
      ['shadow', 0, 0.25, false],
      ['canary', 0, 0.24, true],
      ['canary', 100, 0.24, false],
      ['off', 0, 0, false],
      ['live', 100, 0, false],
    ] as const) {
      bed.set(stage, weight);
      drawn = draw;
      const { metadata } = await ask('ana');
      assert.equal((metadata as { shadow: boolean }).shadow, wanted, `${stage} ${weight} ${draw}`);
    }
    drawn = 0;
    const { body } = await bed.post('/ofrep/v1/evaluate/flags/pictures', {
      context: { targetingKey: 'ana' },
    });
    assert.equal(
      (body['metadata'] as { shadow: boolean }).shadow,
      false,
      'the router repeats requests by itself',
    );
  });

  it('counts, and says of default answers that there were some', async () => {
    bed.set('canary', 0);
    const counted = async (): Promise<Record<string, number>> => {
      const answer = await fetch(`${bed.url}/api/features/mail`, {
        headers: { authorization: `Bearer ${bed.token}` },
      });
      return ((await answer.json()) as { evaluations: Record<string, number> }).evaluations;
    };
    const before = await counted();
    await ask('ana');
    bed.set('live', 100);
    await ask('ana');
    await ask('ben');
    const after = await counted();
    assert.deepEqual(
      [after['monolith']! - before['monolith']!, after['email-api']! - before['email-api']!],
      [1, 2],
    );
    assert.deepEqual(told, ['mail']);
    const metrics = await (await fetch(`${bed.url}/metrics`)).text();
    assert.match(metrics, /strangler_evaluations_total\{feature="mail",side="email-api",reason="STAGE"\} \d/);
  });
});
