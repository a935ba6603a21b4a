// @ts-check
import { signal } from '@preact/signals';
import { Refused, ask, person } from './ask.js';
import { LABELS } from './consequence.js';
import { features, refresh } from './live.js';

/** @import { FeatureJson } from '../protocol.ts' */
/** @import { Kind } from './consequence.js' */

/** A change that somebody is about to make: the feature as it was when they decided, so that its ETag is what they saw. */
export const wanted = signal(
  /** @type {{ kind: Kind, feature: FeatureJson, percent: number, opener: Element | null } | null} */ (null),
);

/** What was done last, for the line at the foot of the page. */
export const said = signal('');
/** @type {ReturnType<typeof setTimeout> | undefined} */
let unsaid;

/**
 * @param {Kind} kind
 * @param {FeatureJson} feature
 * @param {number} [percent]
 */
export function want(kind, feature, percent = 0) {
  wanted.value = { kind, feature, percent, opener: document.activeElement };
}

/**
 * Makes the change. Resolves with null when it is made, with the refusal's words otherwise; after a change by somebody else `wanted` holds
 * the feature as it is now.
 * @param {string} why
 * @param {string | null} to
 * @returns {Promise<{ text: string, isStale: boolean } | null>}
 */
export async function make(why, to) {
  const { kind, feature, percent } = /** @type {NonNullable<typeof wanted.value>} */ (wanted.value);
  const path = `/api/features/${encodeURIComponent(feature.name)}`;
  const body = {
    why,
    ...(person.value ? { who: person.value } : { who: 'console' }),
    ...(kind === 'shift' ? { percent } : {}),
    ...(kind === 'rollback' && to !== null ? { to } : {}),
  };
  try {
    const changed = /** @type {FeatureJson} */ (
      await ask(kind === 'shift' ? `${path}/split` : `${path}/${kind}`, {
        method: kind === 'shift' ? 'PUT' : 'POST',
        body,
        ifMatch: feature.etag,
      })
    );
    put(changed);
    const share = changed.stage === 'canary' && changed.percent !== null ? ` at ${changed.percent} %` : '';
    say(
      `${LABELS[kind]}: done. ${changed.name} is ${changed.state === 'DISABLED' ? 'killed' : `in ${changed.stage}${share}`}.`,
    );
    wanted.value = null;
    return null;
  } catch (error) {
    if (!(error instanceof Refused))
      return { text: 'The router can’t be reached; nothing is known to have changed.', isStale: false };
    if (error.status !== 412) return { text: error.message, isStale: false };
    const now = /** @type {FeatureJson} */ (await ask(path));
    put(now);
    if (wanted.value) wanted.value = { ...wanted.value, feature: now };
    return {
      text: `Somebody else changed it meanwhile. It was ${standing(feature)}; now it is ${standing(now)}. Nothing was done: decide anew.`,
      isStale: true,
    };
  } finally {
    void refresh();
  }
}

/** @param {FeatureJson} feature */
function standing({ stage, percent, state, ramp }) {
  return [
    state === 'DISABLED' ? 'killed' : null,
    `in ${stage}${stage === 'canary' && percent !== null ? ` at ${percent} %` : ''}`,
    ramp.state === 'none' ? null : `ramp ${ramp.state}`,
  ]
    .filter(Boolean)
    .join(', ');
}

/** @param {FeatureJson} changed */
function put(changed) {
  if (features.value)
    features.value = features.value.map((each) => (each.name === changed.name ? changed : each));
}

/** Says what was done, for some seconds. @param {string} text */
export function say(text) {
  said.value = text;
  clearTimeout(unsaid);
  unsaid = setTimeout(() => (said.value = ''), 8000);
}
