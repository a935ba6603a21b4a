// @ts-check
import { html } from './html.js';
import { features } from './live.js';
import { MoveBadges, OtherMoves } from './moves.js';
import { linkTo } from './route.js';
import { RateChart, SidesTable } from './sides.js';
import { Badges, SplitBar, StageTrack } from './standing.js';

/** All features at a glance. */
export function Features() {
  if (features.value === null) return html`<p class="wait">Asking the router …</p>`;
  if (features.value.length === 0)
    return html`<p class="card">
      There are no features yet: all traffic goes to the default upstream. Name the first one’s routes in
      strangler.yaml.
    </p>`;
  return html`<div class="overview">
    ${features.value.map(
      (feature) =>
        html`<article class="card feature" key=${feature.name} aria-label=${feature.name}>
          <div class="feature-head">
            <h2><a href=${linkTo(feature.name)}>${feature.name}</a></h2>
            ${feature.owner ? html`<span class="hint">${feature.owner}</span>` : null}
            ${feature.kind === 'seam' ? html`<span class="hint">seam</span>` : null}
            <${Badges} feature=${feature} />
            <${MoveBadges} feature=${feature} />
          </div>
          <div class="feature-standing">
            <${StageTrack} stage=${feature.stage} />
            <${SplitBar} feature=${feature} />
          </div>
          <${RateChart} feature=${feature} height=${176} />
          <${SidesTable} feature=${feature} />
        </article>`,
    )}
    <${OtherMoves} />
  </div>`;
}
