// @ts-check

/** @import { FeatureJson } from '../protocol.ts' */
/** @typedef {'promote' | 'rollback' | 'pause' | 'resume' | 'kill' | 'shift'} Kind */
/** @typedef {Pick<FeatureJson, 'name' | 'stage' | 'percent' | 'state' | 'upstream' | 'default'> & { readonly kind?: FeatureJson['kind'], readonly ramp: Pick<FeatureJson['ramp'], 'state'> }} Standing */

export const STAGES = /** @type {const} */ (['off', 'shadow', 'canary', 'live', 'retired']);

/** @type {Readonly<Record<Kind, string>>} */
export const LABELS = {
  promote: 'Promote',
  shift: 'Shift',
  pause: 'Pause',
  resume: 'Resume',
  rollback: 'Roll back',
  kill: 'Kill',
};

/**
 * Why an action makes no sense in this state; null when it does. The router decides by its own table: this one only keeps buttons from
 * promising what would be refused.
 * @param {Kind} kind
 * @param {Standing} feature
 */
export function refusal(kind, { stage, state, ramp }) {
  const isKilled = state === 'DISABLED';
  switch (kind) {
    case 'promote':
      return stage === 'retired' ? 'retired is the last stage' : null;
    case 'shift':
      return stage === 'canary' ? null : 'the share can only be shifted in canary';
    case 'pause':
      return ramp.state === 'running' ? null : 'no ramp is running';
    case 'resume':
      return isKilled || ramp.state === 'paused' || ramp.state === 'latched'
        ? null
        : 'nothing is paused or killed';
    case 'rollback':
      return stage === 'off' ? 'off is the first stage' : null;
    case 'kill':
      if (isKilled) return 'it is killed already';
      return stage === 'retired' ? 'the default upstream no longer serves a retired feature' : null;
  }
}

/** Where a rollback goes without being told. @param {Standing} feature */
export function rollbackStage({ stage }) {
  return stage === 'off' || stage === 'shadow' ? 'off' : 'canary';
}

/** Stages a rollback may go to, the nearest first. @param {Standing} feature */
export function earlier({ stage }) {
  const stages = STAGES.slice(0, STAGES.indexOf(stage)).toReversed();
  return stage === 'canary' ? ['canary', ...stages] : stages;
}

/**
 * What an action does, in a sentence that is read before it is done.
 * @param {Kind} kind
 * @param {Standing} feature
 * @param {{ percent?: number, to?: string }} [wish]
 */
export function consequence(kind, feature, { percent = 0, to = rollbackStage(feature) } = {}) {
  const { upstream, default: fallback } = feature;
  const paused = feature.ramp.state === 'none' ? '' : ', and its ramp is paused';
  switch (kind) {
    case 'promote':
      return promotion(feature);
    case 'shift':
      return `${share(percent)} of the keys ${percent === 1 ? 'is' : 'are'} answered by ${upstream}, the others by ${fallback}; no gate is asked${paused}.`;
    case 'pause':
      return `The share of ${upstream} stays at ${feature.percent ?? 0} % until somebody resumes the ramp.`;
    case 'resume':
      return resumption(feature);
    case 'rollback':
      return to === 'live'
        ? `${upstream} goes on answering${feature.kind === 'seam' ? '' : `, and ${fallback} answers again the reads it fails at`}${paused}.`
        : `${all(feature)} by ${fallback} at once${to === 'canary' ? ' (canary at 0 %)' : to === 'shadow' ? `, ${upstream} is only compared with it` : `, ${upstream} gets nothing any more`}${paused}.`;
    case 'kill':
      return `${all(feature)} by ${fallback} at once, whatever its stage and share, until somebody resumes it${paused}.`;
  }
}

/** Of a seam the router sees no requests. @param {Pick<Standing, 'name' | 'kind'>} feature */
function all({ name, kind }) {
  return kind === 'seam' ? `All work of ${name} is done` : `Every request of ${name} is answered`;
}

/** @param {Standing} feature */
function promotion(feature) {
  const { stage, name, upstream, default: fallback } = feature;
  const isSeam = feature.kind === 'seam';
  switch (stage) {
    case 'off':
      if (isSeam)
        return `${name} enters shadow: ${fallback} still does all of it, and the application has a sample done by ${upstream} too, without effect.`;
      return `${name} enters shadow: ${fallback} still answers everything, copies of reads go to ${upstream} where a shadow is configured.`;
    case 'shadow':
      return `${name} enters canary at 0 %: ${fallback} still ${isSeam ? 'does all of it' : 'answers everything'} until the share is shifted.`;
    case 'canary':
      return `${all(feature)} by ${upstream}${isSeam ? '' : `; ${fallback} answers the reads it fails at`}.`;
    default:
      return `${all(feature)} by ${upstream} alone${isSeam ? ', for good' : `; ${fallback} no longer helps out when it fails`}.`;
  }
}

/** @param {Standing} feature */
function resumption({ name, stage, state, percent, ramp, upstream }) {
  const undone =
    state === 'DISABLED'
      ? `The kill of ${name} is undone: it is back in ${stage}${stage === 'canary' ? ` at ${percent ?? 0} %` : ''}`
      : '';
  const ramped =
    ramp.state === 'paused' || ramp.state === 'latched'
      ? `the ramp goes on raising the share of ${upstream} as its gates allow`
      : '';
  const both = [undone, ramped].filter(Boolean).join(', and ');
  return `${both.charAt(0).toUpperCase()}${both.slice(1)}.`;
}

/** @param {number} percent */
function share(percent) {
  return percent === 0 ? 'None' : percent === 100 ? 'All' : `About ${percent} %`;
}
