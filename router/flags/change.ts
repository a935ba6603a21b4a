import { Problem } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { GateResult } from '../ramp/gate.ts';
import type { DecidedFeature } from '../request/decide.ts';
import { killHere, liftKill, useStateFolder } from './brake.ts';
import type { Current } from './current.ts';
import { editFlags, type FlagEdit } from './edit.ts';
import { entryOf } from './entry.ts';
import { compareAndSwap } from './file.ts';
import { readFlags } from './read.ts';
import { hash } from './snapshot.ts';
import { nextStage, type Stage } from './stage.ts';
import { etagOf, viewOf } from './view.ts';

/** What somebody wants of a feature. */
export type Action =
  | { readonly kind: 'shift'; readonly percent: number }
  | { readonly kind: 'promote' }
  | { readonly kind: 'rollback'; readonly to: Stage | null }
  | { readonly kind: 'pause'; readonly numbers?: unknown }
  | { readonly kind: 'resume' }
  | { readonly kind: 'kill' }
  /** What a running ramp does by itself; `numbers` are what the gates measured. */
  | { readonly kind: 'step' | 'stepBack'; readonly percent: number; readonly numbers: unknown };

export interface ChangeRequest {
  readonly feature: string;
  readonly action: Action;
  /** The ETag the caller saw; null means that none was sent, which is refused. */
  readonly ifMatch: string | null;
  readonly who: string;
  readonly why: string;
}

export interface ChangeParts {
  readonly current: Current;
  readonly journal: Journal;
  /** Says why a feature can't be retired yet, or null when it can. */
  readonly retireRefusal: (feature: DecidedFeature) => string | null;
  /** What the gates before a stage say now; empty when there are none. */
  readonly askGates: (before: Stage, feature: DecidedFeature) => readonly GateResult[];
  readonly now: () => number;
}

/**
 * The ONE way to change a flag: version check → stage table → gate → journal the intent → compare-and-swap → journal that it is done.
 * Synchronous from the first read to the last write, so that two changes in one router can't interleave; routers on one file exclude
 * each other in the swap. Throws Problem.
 */
export function changeFlag(parts: ChangeParts, request: ChangeRequest): DecidedFeature {
  const { current } = parts;
  // An edit by hand that the watcher has not seen yet is part of what this change starts from.
  current.refresh();
  const feature = current.snapshot().features.get(request.feature);
  if (!feature)
    throw new Problem(
      'NOT_FOUND',
      `there is no feature "${request.feature}"; there are ${[...current.snapshot().features.keys()].join(', ') || 'none'}`,
    );
  if (request.why.trim() === '')
    throw new Problem(
      'BAD_REQUEST',
      'why is missing: say in a sentence why this is changed, it goes into the journal',
    );
  checkMatch(request.ifMatch, feature);
  const { action } = request;
  refuseByData(feature, action);
  if (action.kind === 'kill') refuseByStage(feature, { kind: 'kill' });
  if (action.kind === 'kill' && useStateFolder(current)) return killHere(parts, feature, request);
  if (action.kind === 'resume' && Object.hasOwn(current.kills(), feature.name))
    liftKill(parts, feature, request);
  const asked = action.kind === 'promote' ? passedGates(parts, feature) : [];
  const edit = editFor(current.snapshot().features.get(feature.name)!, action);
  return edit === null
    ? current.snapshot().features.get(feature.name)!
    : write(parts, feature, request, edit, asked);
}

function checkMatch(ifMatch: string | null, feature: DecidedFeature): void {
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

function refuseByStage(feature: DecidedFeature, event: Parameters<typeof nextStage>[1]): Stage {
  const result = nextStage(feature.flag.stage, event);
  if ('refused' in result) throw new Problem('REFUSED_BY_STAGE', `${feature.name}: ${result.refused}`);
  return result.stage;
}

/** The default upstream has no rows any more once the move is complete: going back to it would lose every write since. */
function refuseByData({ name, config, flag }: DecidedFeature, action: Action): void {
  if (config.data !== 'own') return;
  const isBack =
    action.kind === 'kill' ||
    action.kind === 'rollback' ||
    ('percent' in action && action.percent < (flag.percent ?? 100));
  if (isBack)
    throw new Problem(
      'REFUSED_BY_DATA',
      `${name}: its data is the service's own, the default upstream has none of it; reverse first (strangler move)`,
    );
}

/** What the gates before the next stage say; throws when one does not pass: too little data is no yes. */
function passedGates(parts: ChangeParts, feature: DecidedFeature): readonly GateResult[] {
  const stage = refuseByStage(feature, { kind: 'promote' });
  const refusal = stage === 'retired' ? parts.retireRefusal(feature) : null;
  if (refusal) throw new Problem('REFUSED_BY_GATE', refusal);
  const gates = parts.askGates(stage, feature);
  const open = gates.filter(({ verdict }) => verdict !== 'pass');
  if (open.length > 0)
    throw new Problem(
      'REFUSED_BY_GATE',
      `${feature.name} can't go to ${stage}: ${open.map(({ text }) => text).join('; ')}`,
      { gates },
    );
  return gates;
}

/** What an action edits in the flag; null when it is already as wanted. */
function editFor(feature: DecidedFeature, action: Action): FlagEdit | null {
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

function write(
  parts: ChangeParts,
  feature: DecidedFeature,
  request: ChangeRequest,
  edit: FlagEdit,
  asked: readonly GateResult[],
): DecidedFeature {
  const { current, journal } = parts;
  const config = current.snapshot().config;
  refuseUnwritable(current);
  const before = current.flagsText();
  const edited = editFlags(before, feature.config, config.default, edit);
  if ('refused' in edited)
    throw new Problem(
      'REFUSED_BY_STAGE',
      `the flag ${feature.config.flag} of ${feature.name} can't be changed so: ${edited.refused}`,
    );
  const read = readFlags(edited.text, config);
  if (read.faults.length > 0)
    throw new Problem(
      'REFUSED_BY_STAGE',
      `the change would make ${current.flagsPath} invalid: ${read.faults[0]!.path} ${read.faults[0]!.message}`,
    );
  const flag = read.flags.get(feature.name)!;
  const entry = entryOf(
    parts.now,
    feature,
    request,
    viewOf({ ...feature, flag, killed: flag.state === 'DISABLED' }),
    flag.fingerprint,
    asked,
  );
  journal.append({ kind: 'intent', entry, flags: { before: hash(before), after: hash(edited.text) } });
  const abort = (reason: string): void => journal.append({ kind: 'aborted', id: entry.id, reason });
  let swapped: boolean;
  try {
    swapped = compareAndSwap(current.flagsPath, before, edited.text);
  } catch (error) {
    abort((error as Error).message);
    throw new Problem(
      'NOT_WRITABLE',
      `${current.flagsPath} can't be written: ${(error as Error).message}; the kill switch works all the same`,
    );
  }
  if (!swapped) {
    abort('the file had changed');
    throw new Problem(
      'STALE',
      `${current.flagsPath} is being changed by somebody else; read the feature again and decide anew`,
    );
  }
  journal.append({ kind: 'done', id: entry.id });
  current.refresh();
  return current.snapshot().features.get(feature.name)!;
}

function refuseUnwritable(current: Current): void {
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
