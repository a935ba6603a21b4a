import { Problem } from '../errors.ts';
import type { DecidedFeature } from '../request/decide.ts';
import type { Action } from './change.ts';
import type { Current } from './current.ts';
import type { FlagEdit } from './edit.ts';
import { nextStage, type Stage } from './stage.ts';
import { etagOf, viewOf } from './view.ts';

/** Refuses who saw the feature otherwise than it is, or does not say what was seen. Throws Problem. */
export function checkMatch(ifMatch: string | null, feature: DecidedFeature): void {
  if (ifMatch === null)
    throw new Problem(
      'NO_PRECONDITION',
      'send If-Match with the ETag of the feature, so that a change you have not seen is not undone',
    );
  const etag = etagOf(feature);
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  if (!tags.includes('*') && !tags.includes(etag))
    throw new Problem('STALE', `the feature is at ${etag} by now; read it again and decide anew`, {
      now: viewOf(feature),
    });
}

/** The stage after an event. Throws Problem when the stage does not allow it. */
export function refuseByStage(feature: DecidedFeature, event: Parameters<typeof nextStage>[1]): Stage {
  const result = nextStage(feature.flag.stage, event);
  if ('refused' in result) throw new Problem('REFUSED_BY_STAGE', `${feature.name}: ${result.refused}`);
  return result.stage;
}

/** The default upstream has no rows any more once the move is complete: going back to it would lose every write since. */
export function refuseByData(
  { name, config, flag }: DecidedFeature,
  action: Action,
  isMovedAway: boolean,
): void {
  if (config.data !== 'own' && !(config.data === 'moving' && isMovedAway)) return;
  const isBack =
    action.kind === 'kill' ||
    action.kind === 'rollback' ||
    ('percent' in action && action.percent < (flag.percent ?? 100));
  if (isBack)
    throw new Problem(
      'REFUSED_BY_DATA',
      config.data === 'own'
        ? `${name}: its data is the service's own, the default upstream has none of it; reverse first (strangler move)`
        : `${name}: the move of its data is complete, nobody updates the default upstream's copy any more; reverse first (strangler move)`,
    );
}

/** What an action edits in the flag; null when it is already as wanted. */
export function editFor(feature: DecidedFeature, action: Action): FlagEdit | null {
  const paused = feature.config.ramp ? ({ ramp: 'paused' } as const) : {};
  switch (action.kind) {
    case 'shift':
      refuseByStage(feature, { kind: 'shift' });
      return { percent: action.percent, cohorts: 'back', ...paused };
    case 'promote':
      return { stage: refuseByStage(feature, { kind: 'promote' }), percent: 0, cohorts: 'back' };
    case 'step':
    case 'stepBack':
      refuseByStage(feature, { kind: 'shift' });
      // A ramp that was paused meanwhile has nothing to say any more.
      if (feature.flag.ramp !== 'running' || feature.killed)
        throw new Problem('STALE', `the ramp of ${feature.name} does not run any more`);
      return { percent: action.percent, ramp: action.kind === 'step' ? 'running' : 'latched' };
    case 'rollback':
      return {
        stage: refuseByStage(feature, { kind: 'rollback', to: action.to }),
        percent: 0,
        cohorts: 'aside',
        ...paused,
      };
    case 'kill':
      return feature.killed ? null : { state: 'DISABLED', ...paused };
    case 'pause':
      if (!feature.config.ramp) throw new Problem('REFUSED_BY_STAGE', `${feature.name} has no ramp to pause`);
      return feature.flag.ramp === 'paused' ? null : { ramp: 'paused' };
    case 'resume': {
      const ramp =
        feature.config.ramp && feature.flag.ramp !== 'running' ? ({ ramp: 'running' } as const) : {};
      const killed = feature.flag.state === 'DISABLED';
      return killed || 'ramp' in ramp
        ? { ...(killed ? { state: 'ENABLED' as const } : {}), cohorts: 'back', ...ramp }
        : null;
    }
  }
}

/** Throws Problem when the flags are not ours to write, or broken at the moment. */
export function refuseUnwritable(current: Current): void {
  const { flags } = current.status();
  if (!current.snapshot().config.flags.writable) {
    throw new Problem(
      'NOT_WRITABLE',
      `${current.flagsPath} is managed elsewhere (flags.writable is false): change it there; only kill and resume work here`,
    );
  }
  if (flags.state === 'rejected') {
    throw new Problem(
      'NOT_WRITABLE',
      `${current.flagsPath} is broken at the moment, mend it first: ${flags.faults[0]?.path ?? ''} ${flags.faults[0]?.message ?? ''}`,
    );
  }
}
