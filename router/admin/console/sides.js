// @ts-check
import { Chart } from './chart.js';
import { html } from './html.js';
import { live } from './live.js';
import * as numbers from './numbers.js';

/** @import { FeatureJson, SideJson } from '../protocol.ts' */

/** @param {string} name @returns {readonly SideJson[]} */
function sidesOf(name) {
  return live.value?.features.find((feature) => feature.name === name)?.sides ?? [];
}

/** Both sides over the last ten seconds. @param {{ feature: FeatureJson }} props */
export function SidesTable({ feature }) {
  const sides = sidesOf(feature.name);
  return html`<table class="sides">
    <caption class="unseen">
      Both sides, last 10 seconds
    </caption>
    <thead>
      <tr>
        <th scope="col">Side</th>
        <th scope="col">req/s</th>
        <th scope="col">errors</th>
        <th scope="col">p50</th>
        <th scope="col">p95</th>
      </tr>
    </thead>
    <tbody>
      ${[feature.default, feature.upstream].map((upstream) => {
        const side = sides.find((each) => each.upstream === upstream);
        return html`<tr>
          <th scope="row">
            <i class=${`dot ${upstream === feature.default ? 'default' : 'service'}`}></i>${upstream}
          </th>
          <td data-figure=${`rate ${upstream}`}>${numbers.rate(side?.rate)}</td>
          <td class=${(side?.errorRate ?? 0) > 0.01 ? 'bad' : ''}>${numbers.share(side?.errorRate)}</td>
          <td>${numbers.milliseconds(side?.p50)}</td>
          <td>${numbers.milliseconds(side?.p95)}</td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

/** @param {{ feature: FeatureJson, height?: number }} props */
export function RateChart({ feature, height = 120 }) {
  return html`<${Chart} feature=${feature} metric="rate" title="Requests per second" height=${height} />`;
}

/** @param {{ feature: FeatureJson, height?: number }} props */
export function LatencyChart({ feature, height = 120 }) {
  return html`<${Chart} feature=${feature} metric="p95" title="p95, milliseconds" height=${height} />`;
}
