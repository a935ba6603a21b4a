import assert from 'node:assert/strict';
import { nextStage, STAGES } from '../../flags/stage.ts';
import type { FeatureJson } from '../protocol.ts';
import { consequence, earlier, refusal, rollbackStage, STAGES as SHOWN } from './consequence.js';

const feature = (
  stage: FeatureJson['stage'],
  more: Partial<Pick<FeatureJson, 'state' | 'percent'>> & {
    readonly ramp?: Pick<FeatureJson['ramp'], 'state'>;
  } = {},
) => ({
  name: 'images',
  stage,
  percent: 25,
  state: 'ENABLED' as const,
  ramp: { state: 'none' as const },
  upstream: 'image-api',
  default: 'monolith',
  ...more,
});

describe('what the console offers', () => {
  it('speaks of work, where no request passes the router', () => {
    const seam = { ...feature('canary'), name: 'mail', kind: 'seam' as const };
    assert.equal(consequence('kill', seam).split(' by ')[0], 'All work of mail is done');
    for (const stage of STAGES)
      for (const kind of ['promote', 'rollback', 'kill'] as const)
        assert.doesNotMatch(consequence(kind, { ...seam, stage }), /request|reads/, `${kind} in ${stage}`);
  });

  it('agrees with the stage table', () => {
    assert.deepEqual(SHOWN, STAGES);
    for (const stage of STAGES) {
      for (const kind of ['promote', 'shift', 'kill'] as const)
        assert.equal(
          refusal(kind, feature(stage)) === null,
          !('refused' in nextStage(stage, { kind })),
          `${kind} in ${stage}`,
        );
      assert.deepEqual(nextStage(stage, { kind: 'rollback', to: null }), {
        stage: rollbackStage(feature(stage)),
      });
      for (const to of earlier(feature(stage)))
        assert.deepEqual(nextStage(stage, { kind: 'rollback', to: to as FeatureJson['stage'] }), {
          stage: to,
        });
    }
  });

  it('says in one sentence what an action does, and who answers then', () => {
    assert.equal(
      consequence('shift', feature('canary'), { percent: 40 }),
      'About 40 % of the keys are answered by image-api, the others by monolith; no gate is asked.',
    );
    assert.equal(
      consequence('rollback', feature('canary', { ramp: { state: 'running' } })),
      'Every request of images is answered by monolith at once (canary at 0 %), and its ramp is paused.',
    );
    assert.equal(
      consequence('resume', feature('canary', { state: 'DISABLED', ramp: { state: 'latched' } })),
      'The kill of images is undone: it is back in canary at 25 %, and the ramp goes on raising the share of image-api as its gates allow.',
    );
    for (const stage of STAGES)
      for (const kind of ['promote', 'shift', 'pause', 'resume', 'rollback', 'kill'] as const)
        if (refusal(kind, feature(stage)) === null)
          assert.match(consequence(kind, feature(stage)), /^[^.]+\.$/, `${kind} in ${stage}`);
  });

  it('offers pause and resume where they mean something', () => {
    assert.equal(refusal('pause', feature('canary', { ramp: { state: 'running' } })), null);
    assert.notEqual(refusal('pause', feature('canary')), null);
    for (const state of ['paused', 'latched'] as const)
      assert.equal(refusal('resume', feature('canary', { ramp: { state } })), null);
    assert.equal(refusal('resume', feature('canary', { state: 'DISABLED' })), null);
    assert.notEqual(refusal('resume', feature('canary')), null);
  });
});
