// @ts-check
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { make, wanted } from './change.js';
import { LABELS, consequence, earlier, refusal, rollbackStage } from './consequence.js';
import { html } from './html.js';

/** @import { FeatureJson } from '../protocol.ts' */
/** @import { Kind } from './consequence.js' */

/** Asks why before a change is made, and says in a sentence what it does. */
export function ChangeDialog() {
  const wish = wanted.value;
  return wish === null ? null : html`<${Asking} key=${`${wish.kind} ${wish.feature.name}`} ...${wish} />`;
}

/** @param {{ kind: Kind, feature: FeatureJson, percent: number, opener: Element | null }} props */
function Asking({ kind, feature, percent, opener }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const fault = useSignal('');
  const isBusy = useSignal(false);
  const to = useSignal(/** @type {string} */ (rollbackStage(feature)));
  useEffect(() => {
    dialog.current?.showModal();
    // Whoever came by keyboard is put back where they were, or to the top when what they pressed has done its work and is disabled.
    return () =>
      requestAnimationFrame(() => {
        /** @type {HTMLElement | null} */ (opener)?.focus();
        if (document.activeElement === document.body) document.querySelector('h1')?.focus();
      });
  }, []);
  const refused = refusal(kind, feature);
  const stages = kind === 'rollback' ? earlier(feature) : [];
  const target = stages.includes(to.value) ? to.value : rollbackStage(feature);
  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    const why = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get('why'));
    isBusy.value = true;
    const no = await make(why, kind === 'rollback' ? target : null);
    isBusy.value = false;
    if (no) fault.value = no.text;
  };
  return html`<dialog
    ref=${dialog}
    aria-labelledby="dialog-title"
    aria-describedby="dialog-consequence"
    onClose=${() => (wanted.value = null)}
  >
    <form onSubmit=${submit}>
      <h2 id="dialog-title">${LABELS[kind]} ${feature.name}${kind === 'shift' ? ` to ${percent} %` : ''}</h2>
      <p id="dialog-consequence" class="consequence">
        ${refused === null ? consequence(kind, feature, { percent, to: target }) : `Nothing to do any more: ${refused}.`}
      </p>
      ${
        stages.length > 1
          ? html`<label
              >Back to
              <select
                value=${target}
                onChange=${(/** @type {any} */ event) => (to.value = event.target.value)}
              >
                ${stages.map((stage) => html`<option value=${stage}>${stage === 'canary' ? 'canary, at 0 %' : stage}</option>`)}
              </select></label
            >`
          : null
      }
      <label>
        Why
        <textarea
          name="why"
          rows="2"
          required
          maxlength="1000"
          autofocus
          placeholder="It goes into the journal, and is read months later"
        ></textarea>
      </label>
      <p role="alert" class="fault">${fault.value}</p>
      <div class="dialog-foot">
        <button type="button" onClick=${() => dialog.current?.close()}>Cancel</button>
        <button
          class=${kind === 'kill' || kind === 'rollback' ? 'danger' : 'primary'}
          disabled=${isBusy.value || refused !== null}
        >
          ${LABELS[kind]}
        </button>
      </div>
    </form>
  </dialog>`;
}
