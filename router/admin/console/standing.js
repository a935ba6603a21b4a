// @ts-check
import { STAGES } from './consequence.js';
import { html } from './html.js';

/** @import { FeatureJson } from '../protocol.ts' */

/** The five stages, and which one it is. @param {{ stage: string }} props */
export function StageTrack({ stage }) {
  const reached = STAGES.findIndex((each) => each === stage);
  return html`<ol class="track" aria-label=${`Stage: ${stage}`}>
    ${STAGES.map(
      (each, index) =>
        html`<li class=${index < reached ? 'past' : ''} aria-current=${index === reached ? 'step' : null}>
          ${each}
        </li>`,
    )}
  </ol>`;
}

/**
 * Who answers, as shares of the keys. In shadow and off that is the default upstream alone, whatever the flag holds for later.
 * @param {Pick<FeatureJson, 'stage' | 'percent' | 'state'>} feature
 */
export function shareOf({ stage, percent, state }) {
  if (state === 'DISABLED' || stage === 'off' || stage === 'shadow') return 0;
  return stage === 'canary' ? percent : 100;
}

/** @param {{ feature: FeatureJson }} props */
export function SplitBar({ feature }) {
  const share = shareOf(feature);
  if (share === null)
    return html`<p class="hint">The flag holds no single share; its rules decide (see flags.json).</p>`;
  return html`<div class="split">
    <div
      class="split-bar"
      role="img"
      aria-label=${`${feature.upstream} ${share} %, ${feature.default} ${100 - share} %`}
    >
      <span class="service" style=${{ width: `${share}%` }}></span>
    </div>
    <p class="split-text" aria-hidden="true">
      <span><i class="dot service"></i>${feature.upstream} <b>${share} %</b></span>
      <span><i class="dot default"></i>${feature.default} <b>${100 - share} %</b></span>
    </p>
  </div>`;
}

/** What is out of the ordinary, in a word each. @param {{ feature: FeatureJson }} props */
export function Badges({ feature: { state, ramp, drift } }) {
  return html`<span class="badges">
    ${state === 'DISABLED' ? html`<span class="mark bad">killed</span>` : null}
    ${ramp.state === 'none' ? null : html`<span class=${`mark ${{ running: 'good', paused: '', latched: 'bad' }[ramp.state]}`}>ramp ${ramp.state}</span>`}
    ${drift ? html`<span class="mark warn" title=${drift}>drift</span>` : null}
  </span>`;
}
