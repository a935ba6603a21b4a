// @ts-check
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Refused, ask } from './ask.js';
import { html } from './html.js';
import * as numbers from './numbers.js';

/**
 * @typedef {{ where: string, primary: unknown, shadow: unknown }} Difference
 * @typedef {{ id: string | number, at: string | number, path: string, method: string, kind: string, differences: Difference[], images?: Record<'primary' | 'shadow' | 'difference', string | undefined> }} Mismatch
 * @typedef {{ counts: Record<'match' | 'mismatch' | 'ignored' | 'incomparable', number>, dropped: number, mismatches: Mismatch[] }} ParityJson
 */

/** Milliseconds between two looks. The counts are no part of the events. */
const INTERVAL = 3000;

/** How the service's answers compare with the default upstream's, with examples. @param {{ name: string }} props */
export function Parity({ name }) {
  const parity = useSignal(/** @type {ParityJson | null} */ (null));
  const hasNone = useSignal(false);
  useEffect(() => {
    const read = async () => {
      if (document.hidden) return;
      try {
        parity.value = await ask(`/api/features/${encodeURIComponent(name)}/parity`);
        hasNone.value = false;
      } catch (error) {
        hasNone.value = error instanceof Refused && error.status === 404;
      }
    };
    void read();
    const timer = setInterval(() => void read(), INTERVAL);
    return () => clearInterval(timer);
  }, [name]);
  const { value } = parity;
  const total = value ? Object.values(value.counts).reduce((sum, each) => sum + each, 0) : 0;
  return html`<section class="card wide" aria-label="Parity">
    <h2>Parity</h2>
    ${
      hasNone.value
        ? html`<p class="hint">No shadow is configured: answers are not compared.</p>`
        : value === null
          ? html`<p class="hint">Asking the router …</p>`
          : html`<dl class="counts">
                ${Object.entries(value.counts).map(
                  ([kind, count]) =>
                    html`<div class=${kind === 'mismatch' && count > 0 ? 'bad' : ''}>
                      <dt>${kind}</dt>
                      <dd>${numbers.count(count)}</dd>
                    </div>`,
                )}
                <div>
                  <dt>dropped</dt>
                  <dd>${numbers.count(value.dropped)}</dd>
                </div>
              </dl>
              ${total === 0 ? html`<p class="hint">Nothing has been compared yet. Answers are compared in the stages shadow and canary, when a shadow is configured.</p>` : null}
              ${value.mismatches.map((mismatch, index) => html`<${Example} key=${mismatch.id} mismatch=${mismatch} isOpen=${index === 0} />`)}`
    }
  </section>`;
}

/** @param {{ mismatch: Mismatch, isOpen: boolean }} props */
function Example({ mismatch: { at, path, method, kind, differences, images }, isOpen }) {
  return html`<details class="example" open=${isOpen}>
    <summary>
      <span class="mark">${kind}</span> <code>${`${method} ${path}`.trim()}</code>
      <span class="hint">${numbers.moment(at)}</span>
    </summary>
    ${
      images
        ? html`<div class="pictures">
            ${
              /** @type {const} */ (['primary', 'shadow', 'difference']).map((which) =>
                images[which]
                  ? html`<figure>
                      <img src=${images[which]} alt=${`${which} picture of ${path}`} loading="lazy" />
                      <figcaption>${which}</figcaption>
                    </figure>`
                  : null,
              )
            }
          </div>`
        : null
    }
    ${
      differences.length === 0
        ? null
        : html`<div class="scroll" tabindex="0" role="region" aria-label="Differences">
            <table class="differences">
              <thead>
                <tr>
                  <th scope="col">Where</th>
                  <th scope="col">Primary</th>
                  <th scope="col">Shadow</th>
                </tr>
              </thead>
              <tbody>
                ${differences.map(
                  ({ where, primary, shadow }) =>
                    html`<tr>
                      <th scope="row"><code>${where}</code></th>
                      <td><code>${text(primary)}</code></td>
                      <td><code>${text(shadow)}</code></td>
                    </tr>`,
                )}
              </tbody>
            </table>
          </div>`
    }
  </details>`;
}

/** @param {unknown} value */
function text(value) {
  return value === undefined ? 'absent' : typeof value === 'string' ? value : JSON.stringify(value);
}
