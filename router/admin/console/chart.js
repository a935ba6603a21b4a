// @ts-check
import { effect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { SHOWN, rows } from './history.js';
import { html } from './html.js';
import { live } from './live.js';

/** @import { FeatureJson } from '../protocol.ts' */
/** @import { Metric } from './history.js' */

/**
 * The last five minutes of one number, a line a side. The default upstream's is dashed, so that the two are told apart without colours.
 * @param {{ feature: FeatureJson, metric: Metric, title: string, height: number }} props
 */
export function Chart({ feature, metric, title, height }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const { name, upstream, default: fallback } = feature;
  useEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    /** @type {uPlot} */
    let plot;
    const data = () => /** @type {uPlot.AlignedData} */ (rows(name, [fallback, upstream], metric));
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(optionsOf(element, [fallback, upstream], height), data(), element);
    };
    draw();
    dark.addEventListener('change', draw);
    const sizes = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    sizes.observe(element);
    const stop = effect(() => {
      // Drawn again with every moment; without a new one (a lost connection) it stands still.
      if (live.value) plot.setData(data());
    });
    return () => {
      stop();
      sizes.disconnect();
      dark.removeEventListener('change', draw);
      plot.destroy();
    };
  }, [name, metric, upstream, fallback, height]);
  return html`<figure class="chart">
    <figcaption>${title} <span class="hint">last 5 min</span></figcaption>
    <div
      ref=${box}
      role="img"
      aria-label=${`${title} of ${fallback} and ${upstream} over the last five minutes; the newest numbers are in the table`}
    ></div>
  </figure>`;
}

/**
 * @param {HTMLElement} element
 * @param {readonly [string, string]} sides
 * @param {number} height
 * @returns {uPlot.Options}
 */
function optionsOf(element, [fallback, upstream], height) {
  const style = getComputedStyle(element);
  /** @param {string} name */
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--muted'),
    font: `11px ${style.fontFamily}`,
    ticks: { show: false },
    grid: { stroke: colour('--line'), width: 1 },
  };
  return {
    width: element.clientWidth,
    height,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    select: /** @type {any} */ ({ show: false }),
    scales: {
      x: {
        time: true,
        range: (_plot, _min, max) => [(max || Date.now() / 1000) - SHOWN, max || Date.now() / 1000],
      },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.15 : 1] },
    },
    axes: [
      {
        ...axis,
        size: 22,
        space: 70,
        values: (_plot, ticks) =>
          ticks.map((tick) => new Date(tick * 1000).toLocaleTimeString('en-GB').slice(0, 5)),
        incrs: [60, 120],
        grid: { show: false },
      },
      {
        ...axis,
        size: 36,
        space: 28,
        values: (_plot, ticks) => ticks.map((tick) => (tick >= 10_000 ? `${tick / 1000}k` : String(tick))),
      },
    ],
    series: [
      {},
      { label: fallback, stroke: colour('--default-side'), width: 2, dash: [5, 4], points: { show: false } },
      { label: upstream, stroke: colour('--service-side'), width: 2, points: { show: false } },
    ],
  };
}
