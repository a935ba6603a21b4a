// @ts-check
import { html } from './html.js';
import { live } from './live.js';
import * as numbers from './numbers.js';

/** @import { FeatureJson, GateJson } from '../protocol.ts' */

const VERDICTS = /** @type {const} */ ({
  pass: { mark: 'good', text: 'pass' },
  breach: { mark: 'bad', text: 'breach' },
  notEnough: { mark: '', text: 'not enough data' },
});

/** How numbers read. @type {Readonly<Record<GateJson['unit'], (value: number | null) => string>>} */
const READ = {
  share: fine,
  ratio: (value) => (value === null ? numbers.NOTHING : `× ${value.toFixed(2)}`),
  milliseconds: numbers.milliseconds,
  requests: numbers.count,
};

/** A share with enough digits to tell 99.5 % from 99.6 %. @param {number | null} value */
function fine(value) {
  return value === null ? numbers.NOTHING : `${Number((value * 100).toFixed(2))} %`;
}

/** The newest of what the events and the API say. @param {FeatureJson} feature */
function moving(feature) {
  return live.value?.features.find(({ name }) => name === feature.name) ?? feature;
}

/** What the gates measured. @param {{ feature: FeatureJson }} props */
export function Gates({ feature }) {
  const gates = moving(feature).gates ?? feature.gates ?? [];
  return html`<section class="card" aria-label="Gates">
    <h2>Gates</h2>
    ${
      gates.length === 0
        ? html`<p class="hint">
            No gates are configured: nothing but the stage machine holds a promotion back.
          </p>`
        : html`<ul class="gates">
            ${gates.map(
              (gate) =>
                html`<li>
                  <p class="gate-head">
                    <b>${gate.metric}</b>
                    <span class=${`mark ${VERDICTS[gate.verdict]?.mark ?? ''}`}
                      >${VERDICTS[gate.verdict]?.text ?? gate.verdict}</span
                    >
                  </p>
                  <p class="gate-numbers">
                    <span>${READ[gate.unit](gate.value)}</span>
                    <span class="hint">limit ${READ[gate.unit](gate.limit)}</span>
                    <span class="hint">${`n = ${numbers.count(gate.samples?.baseline)} / ${numbers.count(gate.samples?.candidate)}`}</span>
                  </p>
                  <p class="hint">${gate.text}</p>
                </li>`,
            )}
          </ul>`
    }
  </section>`;
}

/** How far the ramp is. @param {{ feature: FeatureJson }} props */
export function Ramp({ feature }) {
  const { ramp } = moving(feature);
  return html`<section class="card" aria-label="Ramp">
    <h2>Ramp</h2>
    ${ramp.state === 'none' ? html`<p class="hint">No ramp is configured: the share moves by hand only.</p>` : html`<${Progress} ramp=${ramp} />`}
  </section>`;
}

const RAMP_TEXT = {
  none: '',
  running: 'It raises the share when the step has been held and all gates pass.',
  paused: 'Nothing moves until somebody resumes it.',
  latched: 'It stepped back after a breach and stays there until somebody resumes it.',
};

/** @param {{ ramp: FeatureJson['ramp'] }} props */
function Progress({ ramp: { state, step, percent, since, holdUntil } }) {
  const now = live.value ? new Date(live.value.at).getTime() : Date.now();
  const begin = since ? new Date(since).getTime() : null;
  const end = holdUntil ? new Date(holdUntil).getTime() : null;
  return html`<p>
      <span class=${`mark ${{ none: '', running: 'good', paused: '', latched: 'bad' }[state]}`}
        >${state}</span
      >
      <b class="step">${[step == null ? null : `step ${step + 1}`, percent == null ? null : `${percent} %`].filter(Boolean).join(' · ')}</b>
    </p>
    ${
      begin !== null && end !== null && end > begin && state === 'running'
        ? html`<progress
              max="1"
              value=${Math.min(1, Math.max(0, (now - begin) / (end - begin)))}
              aria-label="Time of this step"
            ></progress>
            <p class="hint">
              ${`since ${numbers.moment(begin)}, ${now < end ? `held for ${numbers.duration((end - now) / 1000)} more` : 'held long enough; the gates decide'}`}
            </p>`
        : begin === null
          ? null
          : html`<p class="hint">since ${numbers.moment(begin)}</p>`
    }
    <p class="hint">${RAMP_TEXT[state]}</p>`;
}
