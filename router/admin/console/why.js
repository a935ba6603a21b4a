// @ts-check
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { html } from './html.js';

/**
 * Asks why before something is done, and says in a sentence what it does.
 * @param {{
 *   title: string, consequence: string, label: string, isDanger?: boolean, isRefused?: boolean, opener: Element | null, children?: any,
 *   onClose: () => void, submit: (why: string) => Promise<string | null>
 * }} props `submit` resolves with the refusal's words, or null when it is done; it closes the dialog by itself. `children`: further fields.
 */
export function WhyDialog({
  title,
  consequence,
  label,
  isDanger = false,
  isRefused = false,
  opener,
  children,
  onClose,
  submit,
}) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const fault = useSignal('');
  const isBusy = useSignal(false);
  useEffect(() => {
    dialog.current?.showModal();
    // Whoever came by keyboard is put back where they were, or to the top when what they pressed has done its work and is disabled.
    return () =>
      requestAnimationFrame(() => {
        /** @type {HTMLElement | null} */ (opener)?.focus();
        if (document.activeElement === document.body) document.querySelector('h1')?.focus();
      });
  }, []);
  /** @param {SubmitEvent} event */
  const send = async (event) => {
    event.preventDefault();
    const why = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get('why'));
    isBusy.value = true;
    const no = await submit(why);
    isBusy.value = false;
    if (no !== null) fault.value = no;
  };
  return html`<dialog
    ref=${dialog}
    aria-labelledby="dialog-title"
    aria-describedby="dialog-consequence"
    onClose=${onClose}
  >
    <form onSubmit=${send}>
      <h2 id="dialog-title">${title}</h2>
      <p id="dialog-consequence" class="consequence">${consequence}</p>
      ${children}
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
        <button class=${isDanger ? 'danger' : 'primary'} disabled=${isBusy.value || isRefused}>${label}</button>
      </div>
    </form>
  </dialog>`;
}
