// @ts-check
import { html } from './html.js';
import { live } from './live.js';
import * as numbers from './numbers.js';

/**
 * @typedef {{ url: string, breaker: string, inFlight: number, requests: number, failures: number, idleSockets: number }} Instance
 * @typedef {{ name: string, inFlight: number, retries: number, registry?: string | null, instances: Instance[] }} Upstream
 */

/** What is said of a registry that names the instances. */
const REGISTRY = /** @type {Readonly<Record<string, string>>} */ ({
  FRESH: 'listed by the registry',
  STALE: 'STALE: the registry does not answer, the last instances known are asked',
  EMPTY: 'EMPTY: the registry lists no instance, the last ones known are asked for now',
});

const BREAKERS = /** @type {Readonly<Record<string, string>>} */ ({ closed: 'good', open: 'bad' });

/** Where requests are sent, and what is left out. */
export function Upstreams() {
  const upstreams = /** @type {Upstream[]} */ (live.value?.upstreams ?? []);
  if (live.value === null) return html`<p class="wait">Asking the router …</p>`;
  return upstreams.map(
    ({ name, inFlight, retries, registry, instances }) =>
      html`<section class="card" key=${name} aria-label=${name}>
        <div class="feature-head">
          <h2>${name}</h2>
          <span class="hint">${numbers.count(inFlight)} in flight · ${numbers.count(retries)} retries</span>
          ${registry ? html`<span class=${`mark ${registry === 'FRESH' ? 'good' : 'warn'}`}>${REGISTRY[registry]}</span>` : null}
        </div>
        <table class="instances">
          <caption class="unseen">
            Instances of ${name}
          </caption>
          <thead>
            <tr>
              <th scope="col">Instance</th>
              <th scope="col">Breaker</th>
              <th scope="col">in flight</th>
              <th scope="col">requests</th>
              <th scope="col">failures</th>
              <th scope="col">idle</th>
            </tr>
          </thead>
          <tbody>
            ${instances.map(
              (instance) =>
                html`<tr key=${instance.url}>
                  <th scope="row"><code>${instance.url}</code></th>
                  <td data-label="breaker">
                    <span class=${`mark ${BREAKERS[instance.breaker] ?? 'warn'}`}>${instance.breaker}</span>
                  </td>
                  <td data-label="in flight">${numbers.count(instance.inFlight)}</td>
                  <td data-label="requests">${numbers.count(instance.requests)}</td>
                  <td data-label="failures" class=${instance.failures > 0 ? 'bad' : ''}>
                    ${numbers.count(instance.failures)}
                  </td>
                  <td data-label="idle">${numbers.count(instance.idleSockets)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
        ${instances.length === 0 ? html`<p class="fault">No instance is known: requests to it are answered 503.</p>` : null}
      </section>`,
  );
}
