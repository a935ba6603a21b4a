// @ts-check
import { render } from 'preact';
import { look, signedIn } from './ask.js';
import { Frame } from './frame.js';
import { html } from './html.js';
import { Login } from './login.js';

function Console() {
  if (signedIn.value === null) return html`<p class="wait">Asking the router …</p>`;
  return signedIn.value ? html`<${Frame} />` : html`<${Login} />`;
}

render(html`<${Console} />`, /** @type {HTMLElement} */ (document.getElementById('console')));
// Unreachable: the login is shown, and says so when it is tried.
look().catch(() => (signedIn.value = false));
