// @ts-check

/** @import { LiveJson, SideJson } from '../protocol.ts' */

/** Seconds that the charts show. */
export const SHOWN = 300;
/** Seconds without a number after which a line is broken rather than drawn across. */
const GAP = 6;

/** @typedef {'rate' | 'p95'} Metric */
/** @typedef {{ at: number[], sides: Map<string, Record<Metric, (number | null)[]>> }} Series */

/** @type {Map<string, Series>} By feature. */
const kept = new Map();

/**
 * Keeps the numbers of a moment for the charts.
 * @param {Pick<LiveJson, 'at' | 'features'>} moment
 */
export function keep({ at, features }) {
  const seconds = new Date(at).getTime() / 1000;
  for (const { name, sides } of features) {
    const series = kept.get(name) ?? { at: [], sides: new Map() };
    kept.set(name, series);
    const last = series.at.at(-1);
    if (last !== undefined && seconds <= last) continue;
    if (last !== undefined && seconds - last > GAP) add(series, last + 0.001, []);
    add(series, seconds, sides);
    while (series.at[0] !== undefined && series.at[0] < seconds - SHOWN) drop(series);
  }
  for (const name of kept.keys()) if (!features.some((feature) => feature.name === name)) kept.delete(name);
}

/**
 * The last minutes as uPlot wants them: seconds since 1970, then a row for each side, all of one length.
 * @param {string} feature
 * @param {readonly string[]} sides
 * @param {Metric} metric
 * @returns {[number[], ...(number | null)[][]]}
 */
export function rows(feature, sides, metric) {
  const series = kept.get(feature);
  if (!series) return [[], ...sides.map(() => [])];
  return [series.at, ...sides.map((side) => series.sides.get(side)?.[metric] ?? series.at.map(() => null))];
}

/**
 * @param {Series} series
 * @param {number} at
 * @param {readonly SideJson[]} sides
 */
function add(series, at, sides) {
  for (const { upstream } of sides)
    if (!series.sides.has(upstream))
      series.sides.set(upstream, { rate: series.at.map(() => null), p95: series.at.map(() => null) });
  series.at.push(at);
  for (const [upstream, { rate, p95 }] of series.sides) {
    const side = sides.find((each) => each.upstream === upstream);
    rate.push(side?.rate ?? null);
    p95.push(side?.p95 ?? null);
  }
}

/** @param {Series} series */
function drop({ at, sides }) {
  at.shift();
  for (const { rate, p95 } of sides.values()) {
    rate.shift();
    p95.shift();
  }
}
