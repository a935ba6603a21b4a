// @ts-check
import { useSignal } from '@preact/signals';
import { make, wanted } from './change.js';
import { LABELS, consequence, earlier, refusal, rollbackStage } from './consequence.js';
import { html } from './html.js';
import { WhyDialog } from './why.js';

/** @import { FeatureJson } from '../protocol.ts' */
/** @import { Kind } from './consequence.js' */

/** Asks why before a feature is changed. */
export function ChangeDialog() {
  const wish = wanted.value;
  return wish === null ? null : html`<${Asking} key=${`${wish.kind} ${wish.feature.name}`} ...${wish} />`;
}

/** @param {{ kind: Kind, feature: FeatureJson, percent: number, opener: Element | null }} props */
function Asking({ kind, feature, percent, opener }) {
  const to = useSignal(/** @type {string} */ (rollbackStage(feature)));
  const refused = refusal(kind, feature);
  const stages = kind === 'rollback' ? earlier(feature) : [];
  const target = stages.includes(to.value) ? to.value : rollbackStage(feature);
  return html`<${WhyDialog}
    title=${`${LABELS[kind]} ${feature.name}${kind === 'shift' ? ` to ${percent} %` : ''}`}
    consequence=${refused === null ? consequence(kind, feature, { percent, to: target }) : `Nothing to do any more: ${refused}.`}
    label=${LABELS[kind]}
    isDanger=${kind === 'kill' || kind === 'rollback'}
    isRefused=${refused !== null}
    opener=${opener}
    onClose=${() => (wanted.value = null)}
    submit=${async (/** @type {string} */ why) =>
      (await make(why, kind === 'rollback' ? target : null))?.text ?? null}
  >
    ${
      stages.length > 1
        ? html`<label
            >Back to
            <select value=${target} onChange=${(/** @type {any} */ event) => (to.value = event.target.value)}>
              ${stages.map((stage) => html`<option value=${stage}>${stage === 'canary' ? 'canary, at 0 %' : stage}</option>`)}
            </select></label
          >`
        : null
    }
  <//>`;
}
