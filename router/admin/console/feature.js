// @ts-check
import { Actions, SplitControl } from './actions.js';
import { ChangeDialog } from './dialog.js';
import { Gates, Ramp } from './gates.js';
import { html } from './html.js';
import { Entries } from './journal.js';
import { Evaluations } from './evaluations.js';
import { features } from './live.js';
import { FeatureMoves } from './moves.js';
import { Parity } from './parity.js';
import { LatencyChart, RateChart, SidesTable } from './sides.js';
import { Badges, SplitBar, StageTrack } from './standing.js';

/** @import { FeatureJson } from '../protocol.ts' */

/** Everything about one feature, and what can be done about it. @param {{ name: string }} props */
export function Feature({ name }) {
  if (features.value === null) return html`<p class="wait">Asking the router …</p>`;
  const feature = features.value.find((each) => each.name === name);
  if (!feature)
    return html`<p class="card">There is no such feature any more. <a href="#/features">All features</a></p>`;
  return html`<div class="detail">
    <div class="feature-head wide">
      <span class="hint"
        >${feature.owner ? `${feature.owner} · ` : ''}flag ${feature.flag} · ${feature.kind === 'seam' ? 'seam' : `data ${feature.data}`}</span
      >
      <${Badges} feature=${feature} />
    </div>
    ${feature.drift ? html`<p class="banner warn wide">${feature.drift}</p>` : null}
    <section class="card wide" aria-label="Stage and share">
      <${StageTrack} stage=${feature.stage} />
      <${SplitBar} feature=${feature} />
      <div class="controls">
        <${SplitControl} feature=${feature} />
        <${Actions} feature=${feature} />
      </div>
    </section>
    <${FeatureMoves} feature=${feature} />
    <section class="card wide" aria-label="Traffic">
      <h2>Traffic</h2>
      <div class="traffic">
        <${RateChart} feature=${feature} height=${170} />
        <${LatencyChart} feature=${feature} height=${170} />
      </div>
      <${SidesTable} feature=${feature} />
    </section>
    <${Gates} feature=${feature} />
    <${Ramp} feature=${feature} />
    <${Parity} name=${feature.name} />
    <section class="card wide" aria-label="Last changes">
      <h2>Last changes</h2>
      <${Entries} feature=${feature.name} limit=${5} />
    </section>
    ${feature.kind === 'seam' ? html`<${Evaluations} feature=${feature} />` : html`<${Routes} feature=${feature} />`}
    <${ChangeDialog} />
  </div>`;
}

/** @param {{ feature: FeatureJson }} props */
function Routes({ feature }) {
  return html`<section class="card wide" aria-label="Routes">
    <h2>Routes</h2>
    <ul class="routes">
      ${feature.routes.map((route) => html`<li><code>${route}</code></li>`)}
    </ul>
  </section>`;
}
