// @ts-check
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { want } from './change.js';
import { LABELS, refusal } from './consequence.js';
import { html } from './html.js';

/** @import { FeatureJson } from '../protocol.ts' */

const BUTTONS = /** @type {const} */ (['promote', 'pause', 'resume', 'rollback', 'kill']);

/** @param {{ feature: FeatureJson }} props */
export function Actions({ feature }) {
  return html`<div class="actions" role="group" aria-label="Actions">
    ${BUTTONS.map((kind) => {
      const refused = refusal(kind, feature);
      return html`<button
        class=${kind === 'kill' ? 'danger' : ''}
        disabled=${refused !== null}
        title=${refused}
        aria-haspopup="dialog"
        onClick=${() => want(kind, feature)}
      >
        ${LABELS[kind]}
      </button>`;
    })}
  </div>`;
}

/** The share in canary: a slider for the hand, a number for the keyboard. @param {{ feature: FeatureJson }} props */
export function SplitControl({ feature }) {
  const wish = useSignal(feature.percent ?? 0);
  useEffect(() => {
    wish.value = feature.percent ?? 0;
  }, [feature.percent]);
  const refused = refusal('shift', feature);
  if (refused !== null) return null;
  /** @param {Event} event */
  const take = (event) => {
    const value = Number(/** @type {HTMLInputElement} */ (event.target).value);
    if (Number.isInteger(value) && value >= 0 && value <= 100) wish.value = value;
  };
  return html`<form
    class="shift"
    aria-label="Shift the split"
    onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      want('shift', feature, wish.value);
    }}
  >
    <label for="share">Share of ${feature.upstream}</label>
    <input
      id="share"
      type="range"
      min="0"
      max="100"
      step="1"
      value=${wish.value}
      onInput=${take}
      aria-valuetext=${`${wish.value} percent`}
    />
    <span class="percent"
      ><input
        type="number"
        min="0"
        max="100"
        step="1"
        required
        value=${wish.value}
        onInput=${take}
        aria-label="Share in percent"
      />
      %</span
    >
    <button class="primary" disabled=${wish.value === feature.percent} aria-haspopup="dialog">Shift</button>
  </form>`;
}
