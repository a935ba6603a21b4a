import type { Bug } from './bugs.ts';
import { canonicalKey } from './canonical.ts';
import { unrest, violation } from './invariants.ts';
import { initialState, type State } from './state.ts';
import { stepsFrom, type Bounds } from './steps.ts';

export interface Found {
  /** States that differ by more than the names of keys and processes. */
  readonly states: number;
  /** The steps of the longest of all shortest ways. */
  readonly depth: number;
  /** What broke first, and a shortest way to it; null when nothing can. */
  readonly broken: { readonly invariant: string; readonly trace: readonly string[] } | null;
}

/** Looks at every state that can be reached within the bounds, nearest first, so that the first trace found is a shortest. */
export function search(bounds: Bounds, bug: Bug | null = null): Found {
  const first = initialState();
  const parents = new Map<string, string | null>([[canonicalKey(first), null]]);
  let frontier = [first];
  let depth = 0;
  for (; frontier.length > 0; depth += 1) {
    const next: State[] = [];
    for (const state of frontier) {
      const key = canonicalKey(state);
      const steps = stepsFrom(state, bounds, bug);
      if (steps.every(({ isFailure }) => isFailure)) {
        const invariant = unrest(state);
        if (invariant) return found(invariant, key);
      }
      for (const step of steps) {
        const reached = canonicalKey(step.state);
        // Every step is judged, not only every state: versions and epochs must rise whichever way one comes.
        const invariant = violation(state, step.state);
        const isNew = !parents.has(reached);
        if (isNew) parents.set(reached, key);
        if (invariant) return found(invariant, reached, isNew ? null : [key, step.text()]);
        if (isNew) next.push(step.state);
      }
    }
    frontier = next;
  }
  return { states: parents.size, depth, broken: null };

  function found(invariant: string, last: string, extra: [string, string] | null = null): Found {
    const trace = traceTo(extra?.[0] ?? last, parents, bounds, bug);
    if (extra) trace.push(extra[1]);
    return { states: parents.size, depth, broken: { invariant, trace } };
  }
}

/** Only keys were kept, so the way is walked again: at each state the step that leads to the next key is taken. */
function traceTo(
  last: string,
  parents: ReadonlyMap<string, string | null>,
  bounds: Bounds,
  bug: Bug | null,
): string[] {
  const keys: string[] = [];
  for (let key: string | null = last; key !== null; key = parents.get(key)!) keys.unshift(key);
  const trace: string[] = [];
  let state = initialState();
  for (const key of keys.slice(1)) {
    const step = stepsFrom(state, bounds, bug).find((step) => canonicalKey(step.state) === key)!;
    trace.push(step.text());
    ({ state } = step);
  }
  return trace;
}
