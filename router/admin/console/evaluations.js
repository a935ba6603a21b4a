// @ts-check
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { ask } from './ask.js';
import { html } from './html.js';
import * as numbers from './numbers.js';

/** @import { FeatureJson } from '../protocol.ts' */

/** Milliseconds between two looks. The counts are no part of the events. */
const INTERVAL = 3000;

/** What a seam has in the place of routes. @param {{ feature: FeatureJson }} props */
export function Evaluations({ feature: { name, flag, upstream, default: fallback } }) {
  const counts = useSignal(/** @type {FeatureJson['evaluations'] | null} */ (null));
  useEffect(() => {
    const read = async () => {
      if (document.hidden) return;
      try {
        counts.value = (await ask(`/api/features/${encodeURIComponent(name)}`)).evaluations;
      } catch {
        // The frame says that the router is away.
      }
    };
    void read();
    const timer = setInterval(() => void read(), INTERVAL);
    return () => clearInterval(timer);
  }, [name]);
  return html`<section class="card wide" aria-label="Evaluations">
    <h2>Evaluations</h2>
    <p class="hint">
      No request of it passes the router: the application asks for the flag ${flag}, and reports what it did. Asked
      since the router’s start, by answer:
    </p>
    <dl class="counts">
      ${[fallback, upstream].map(
        (side) =>
          html`<div>
            <dt>${side}</dt>
            <dd data-figure=${`evaluations ${side}`}>${numbers.count(counts.value?.[side] ?? 0)}</dd>
          </div>`,
      )}
    </dl>
  </section>`;
}
