// @ts-check
import { useSignal } from '@preact/signals';
import { login, person } from './ask.js';
import { html } from './html.js';

/** Trades the admin token for a session. */
export function Login() {
  const fault = useSignal('');
  const isBusy = useSignal(false);
  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    isBusy.value = true;
    fault.value = '';
    try {
      await login(String(form.get('token')).trim(), String(form.get('name')));
    } catch (error) {
      fault.value =
        error instanceof TypeError
          ? 'The router can’t be reached.'
          : String(/** @type {Error} */ (error).message);
    }
    isBusy.value = false;
  };
  return html`<main class="login">
    <form class="card" onSubmit=${submit} aria-labelledby="login-title">
      <h1 id="login-title"><img src="/console/icon.svg" alt="" width="28" height="28" /> Strangler Kit</h1>
      <label>
        Admin token
        <input
          name="token"
          type="password"
          autocomplete="current-password"
          required
          autofocus
          aria-describedby="login-where"
          aria-invalid=${fault.value !== ''}
        />
      </label>
      <p id="login-where" class="hint">
        From <code>STRANGLER_ADMIN_TOKEN</code>, else from <code>admin-token</code> in the state folder
        (<code>.data/</code>).
      </p>
      <label>
        Your name, for the journal
        <input
          name="name"
          autocomplete="username"
          maxlength="100"
          placeholder="console"
          value=${person.value}
        />
      </label>
      <p role="alert" class="fault">${fault.value}</p>
      <button class="primary" disabled=${isBusy.value}>Log in</button>
    </form>
  </main>`;
}
