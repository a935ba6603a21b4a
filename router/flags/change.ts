import { Problem } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { GateResult } from '../ramp/gate.ts';
import type { DecidedFeature } from '../request/decide.ts';
import { checkMatch, editFor, refuseByData, refuseByStage, refuseUnwritable } from './allowed.ts';
import { killHere, liftKill, useStateFolder } from './brake.ts';
import type { Current } from './current.ts';
import { editFlags, type FlagEdit } from './edit.ts';
import { entryOf } from './entry.ts';
import { readFlags } from './read.ts';
import type { Stage } from './stage.ts';
import { viewOf } from './view.ts';

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
  /** Whether the move of a feature's data has been completed, though its config does not say so yet. Default: no. */
  readonly isMovedAway?: (feature: DecidedFeature) => boolean;
  /** Journals what was edited by hand and is not in the journal yet: a change starts from it. */
  readonly noteEdits?: () => Promise<void>;
  readonly now: () => number;
}

/** How long the source of the flags may take to answer before a change, in milliseconds: an election of its members takes one to two seconds. */
const PATIENCE = 4000;
/** The same for a kill, which has another way. */
const HASTE = 2500;

/** The last change that was asked for, by whose flags it changes. */
const turns = new WeakMap<Current, Promise<unknown>>();

/**
 * The ONE way to change a flag: version check → stage table → gate → journal the intent → compare-and-swap → journal that it is done.
 * One after another in one router; routers on one file, or on one etcd, exclude each other in the swap. Rejects with Problem.
 */
export function changeFlag(parts: ChangeParts, request: ChangeRequest): Promise<DecidedFeature> {
  const turn = (turns.get(parts.current) ?? Promise.resolve()).then(() => decide(parts, request));
  turns.set(
    parts.current,
    turn.catch(() => undefined),
  );
  return turn;
}

async function decide(parts: ChangeParts, request: ChangeRequest): Promise<DecidedFeature> {
  const { current } = parts;
  const { action } = request;
  // An edit by hand that the watcher has not seen yet is part of what this change starts from.
  const unheard = await catchUp(parts, action);
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
  refuseByData(feature, action, parts.isMovedAway?.(feature) ?? false);
  if (action.kind === 'kill') refuseByStage(feature, { kind: 'kill' });
  if (action.kind === 'kill' && (unheard || useStateFolder(current)))
    return killHere(parts, feature, request);
  if (action.kind === 'resume' && Object.hasOwn(current.kills(), feature.name))
    liftKill(parts, feature, request);
  const asked = action.kind === 'promote' ? passedGates(parts, feature) : [];
  const edit = editFor(current.snapshot().features.get(feature.name)!, action);
  if (edit === null) return current.snapshot().features.get(feature.name)!;
  if (unheard) throw unheard;
  try {
    return await write(parts, feature, request, edit, asked);
  } catch (error) {
    // Whether it was made elsewhere or not, here it holds.
    if (action.kind !== 'kill' || (error as { code?: unknown }).code !== 'FLAGS_AWAY') throw error;
    return killHere(parts, current.snapshot().features.get(feature.name)!, request);
  }
}

/** Asks the source for what is newest. Answers the Problem that it does not answer, which some changes can do without. */
async function catchUp({ current, noteEdits }: ChangeParts, action: Action): Promise<Problem | null> {
  try {
    await current.source.sync(action.kind === 'kill' ? HASTE : PATIENCE);
    current.refresh();
    await noteEdits?.();
    return null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    current.refresh();
    return error;
  }
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

async function write(
  parts: ChangeParts,
  feature: DecidedFeature,
  request: ChangeRequest,
  edit: FlagEdit,
  asked: readonly GateResult[],
): Promise<DecidedFeature> {
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
  if (!(await current.source.swap({ before, after: edited.text, entry }, journal)))
    throw new Problem(
      'STALE',
      `${current.flagsPath} is being changed by somebody else; read the feature again and decide anew`,
    );
  current.refresh();
  return current.snapshot().features.get(feature.name)!;
}
