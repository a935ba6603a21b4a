import type { RenderedMail } from './job.ts';

/** A field that two sides render differently; `default` is the monolith's. */
export interface Difference {
  readonly path: string;
  readonly default: string;
  readonly candidate: string;
}

/** Characters that a report holds of a field. */
const SHOWN = 300;

/** The fields that differ, none of them left out; the values from shortly before the first difference on. */
export function differencesOf(monolith: RenderedMail, ours: RenderedMail): Difference[] {
  return (['from', 'to', 'subject', 'text', 'html'] as const)
    .filter((path) => monolith[path] !== ours[path])
    .map((path) => {
      const start = Math.max(0, firstDifference(monolith[path], ours[path]) - 60);
      const cut = (text: string): string => text.slice(start, start + SHOWN);
      return { path, default: cut(monolith[path]), candidate: cut(ours[path]) };
    });
}

function firstDifference(left: string, right: string): number {
  let index = 0;
  while (index < left.length && left[index] === right[index]) index += 1;
  return index;
}
