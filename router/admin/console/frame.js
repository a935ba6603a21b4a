// @ts-check
import { useEffect, useRef } from 'preact/hooks';
import { logout } from './ask.js';
import { said } from './change.js';
import { Feature } from './feature.js';
import { Features } from './features.js';
import { Files } from './files.js';
import { html } from './html.js';
import { Journal } from './journal.js';
import { connection, live, status } from './live.js';
import { place } from './route.js';
import { Upstreams } from './upstreams.js';

const PAGES = /** @type {const} */ ({
  features: 'Features',
  journal: 'Journal',
  upstreams: 'Upstreams',
  config: 'Config',
});
const CONNECTION = { connecting: 'connecting …', live: 'live', lost: 'connection lost, trying again …' };

/** What is around every page: where one can go, whether the numbers are live, and what was just done. */
export function Frame() {
  const { page, name } = place.value;
  const title = useRef(/** @type {HTMLElement | null} */ (null));
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${name ?? PAGES[page]} · Strangler Kit`;
    // Whoever reads by ear or keyboard goes on where the new page begins.
    if (!isFirst.current) title.current?.focus();
    isFirst.current = false;
  }, [page, name]);
  return html`<header class="bar">
      <a class="brand" href="#/features"
        ><img src="/console/icon.svg" alt="" width="22" height="22" /><span>Strangler Kit</span></a
      >
      <nav aria-label="Pages">
        ${Object.entries(PAGES).map(
          ([key, text]) =>
            html`<a href=${`#/${key}`} aria-current=${key === page ? 'page' : null}
              >${text}${key === 'config' && live.value?.config.state === 'rejected' ? html` <span class="mark bad">rejected</span>` : null}${key === 'config' && live.value?.config.stale ? html` <span class="mark bad">stale</span>` : null}</a
            >`,
        )}
      </nav>
      <span class=${`connection ${connection.value}`} role="status">${CONNECTION[connection.value]}</span>
      <button class="quiet" onClick=${() => void logout()}>Log out</button>
    </header>
    ${
      connection.value === 'lost'
        ? html`<p class="banner bad" role="alert">
            The router can’t be reached. What is shown is as old as the last
            contact${live.value ? html` (${new Date(live.value.at).toLocaleTimeString('en-GB')})` : null}.
          </p>`
        : null
    }
    ${status.value?.draining ? html`<p class="banner warn" role="status">This router is draining: it finishes what is under way and ends.</p>` : null}
    <main>
      <h1 tabindex="-1" ref=${title} class=${name === null ? 'unseen' : ''}>${name ?? PAGES[page]}</h1>
      ${
        page === 'journal'
          ? html`<${Journal} />`
          : page === 'upstreams'
            ? html`<${Upstreams} />`
            : page === 'config'
              ? html`<${Files} />`
              : name === null
                ? html`<${Features} />`
                : html`<${Feature} key=${name} name=${name} />`
      }
    </main>
    <p class=${`said ${said.value === '' ? 'unseen' : ''}`} role="status">${said.value}</p>`;
}
