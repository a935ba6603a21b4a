import type { Template } from './template.ts';

/** A tree of path segments. Looking a path up costs its depth, however many routes there are. */
interface Node<T> {
  readonly literals: Map<string, Node<T>>;
  any: Node<T> | null;
  /** Targets that end at this node, by method. */
  readonly exact: Map<string, T>;
  /** Targets whose `**` starts at this node, by method. */
  readonly rest: Map<string, T>;
}

export interface Matcher<T> {
  /** The target of the route that a canonical path and a method belong to; null when there is none. */
  match(method: string, path: string): T | null;
  /** True when some route has this path, under any method: what an ambiguous path is checked for. */
  touches(path: string): boolean;
}

/** Builds the tree. Two templates of the same shape must not be handed in (the config's check refuses them). */
export function createMatcher<T>(
  routes: readonly { readonly template: Template; readonly target: T }[],
): Matcher<T> {
  const root = node<T>();
  for (const { template, target } of routes) {
    let at = root;
    for (const segment of template.segments) {
      if (segment === null) at = at.any ??= node<T>();
      else {
        const next = at.literals.get(segment) ?? node<T>();
        at.literals.set(segment, next);
        at = next;
      }
    }
    (template.rest ? at.rest : at.exact).set(template.method, target);
  }
  return {
    match: (method, path) => find(root, path, 1, (targets) => byMethod(targets, method)),
    touches: (path) => find(root, path, 1, (targets) => (targets.size > 0 ? true : null)) !== null,
  };
}

function node<T>(): Node<T> {
  return { literals: new Map(), any: null, exact: new Map(), rest: new Map() };
}

/** GET covers HEAD, unless HEAD has a route of its own. */
function byMethod<T>(targets: Map<string, T>, method: string): T | null {
  return targets.get(method) ?? (method === 'HEAD' ? targets.get('GET') : undefined) ?? null;
}

/**
 * The leftmost literal wins: at each segment the literal branch is tried before the parameter, and both before a `**`. `start` is where
 * the segment begins. `**` takes what is left, be it nothing.
 */
function find<T, R>(
  at: Node<T>,
  path: string,
  start: number,
  pick: (targets: Map<string, T>) => R | null,
): R | null {
  if (start > path.length) return pick(at.exact) ?? pick(at.rest);
  const slash = path.indexOf('/', start);
  const end = slash === -1 ? path.length : slash;
  const literal = at.literals.size > 0 ? at.literals.get(path.slice(start, end)) : undefined;
  if (literal) {
    const found = find(literal, path, end + 1, pick);
    if (found !== null) return found;
  }
  if (at.any && end > start) {
    const found = find(at.any, path, end + 1, pick);
    if (found !== null) return found;
  }
  return at.rest.size > 0 ? pick(at.rest) : null;
}
