/**
 * The part of flagd's targeting language (JsonLogic with flagd's operators, https://flagd.dev/reference/custom-operations/) that a
 * split is made of. All pure: a targeting goes in, a number or another targeting comes out.
 */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

type Bucket = readonly [string, number];

/** Every `fractional` in a targeting, as lists of `[variant, weight]`. A bucket without a weight weighs 1, as in flagd. */
export function fractionals(targeting: Json | undefined): Bucket[][] {
  const found: Bucket[][] = [];
  visit(targeting, (list) => {
    found.push(
      list.flatMap((entry): Bucket[] =>
        Array.isArray(entry) && typeof entry[0] === 'string' ? [[entry[0], weightOf(entry)]] : [],
      ),
    );
    return list;
  });
  return found;
}

/** Share of `variant` in the one fractional, in percent, rounded to a tenth; null when there is none, or more than one. */
export function percentOf(targeting: Json | undefined, variant: string): number | null {
  const [only, second] = fractionals(targeting);
  if (!only || second) return null;
  const total = only.reduce((sum, [, weight]) => sum + weight, 0);
  const own = only.reduce((sum, [name, weight]) => sum + (name === variant ? weight : 0), 0);
  return total === 0 ? 0 : Math.round((own / total) * 1000) / 10;
}

/**
 * The same targeting with the one fractional set to `percent` for `variant` and the rest for `other`. The order of the two is kept:
 * flagd lays the weights side by side on one line, so as long as the order stays, raising a weight only adds keys.
 * A sentence when there isn't exactly one fractional between exactly these two.
 */
export function withPercent(
  targeting: Json | undefined,
  variant: string,
  other: string,
  percent: number,
): { targeting: Json } | { refused: string } {
  const all = fractionals(targeting);
  if (all.length !== 1)
    return {
      refused: `its targeting has ${all.length === 0 ? 'no' : all.length} fractional rules, and a shift edits exactly one; edit the weights by hand`,
    };
  const names = all[0]!.map(([name]) => name).toSorted();
  if (names.join('\n') !== [variant, other].toSorted().join('\n')) {
    return {
      refused: `its fractional splits between ${names.join(', ')}, not between ${variant} and ${other}; edit the weights by hand`,
    };
  }
  const edited = visit(targeting, (list) =>
    list.map((entry) =>
      Array.isArray(entry) && typeof entry[0] === 'string'
        ? [entry[0], entry[0] === variant ? percent : 100 - percent]
        : entry,
    ),
  );
  return { targeting: edited as Json };
}

/** A split between two variants and nothing else. The service stands first, so that its keys are the low end of the line. */
export function plainSplit(variant: string, other: string, percent: number): Json {
  return {
    fractional: [
      [variant, percent],
      [other, 100 - percent],
    ],
  };
}

/** True when the targeting is one bare fractional: no cohorts before it. */
export function isPlainSplit(targeting: Json | undefined): boolean {
  return isObject(targeting) && Object.keys(targeting).join() === 'fractional';
}

/**
 * Variants a targeting can answer with; null when that can't be told (a computed name). A bucket of weight 0 answers nobody, and a rule
 * that may answer nothing falls through to the default variant.
 */
export function reachable(targeting: Json | undefined, defaultVariant: string): Set<string> | null {
  if (targeting === undefined || targeting === null) return new Set([defaultVariant]);
  if (typeof targeting === 'string') return new Set([targeting]);
  if (!isObject(targeting)) return null;
  const [operator] = Object.keys(targeting);
  if (operator === undefined) return new Set([defaultVariant]);
  const operands = targeting[operator];
  if (operator === 'fractional') {
    const [buckets = []] = fractionals(targeting);
    const alive = buckets.filter(([, weight]) => weight > 0).map(([name]) => name);
    return new Set(alive.length > 0 ? alive : [defaultVariant]);
  }
  if (operator !== 'if' || !Array.isArray(operands)) return null;
  const results = operands.filter((_, index) => index % 2 === 1 || index === operands.length - 1);
  const sets = results.map((result) => reachable(result, defaultVariant));
  if (operands.length % 2 === 0) sets.push(new Set([defaultVariant]));
  return sets.includes(null) ? null : new Set(sets.flatMap((set) => [...set!]));
}

/** Calls `edit` on the list of every fractional and answers the targeting with what it returned in their place. */
export function visit(node: Json | undefined, edit: (list: Json[]) => Json[]): Json | undefined {
  if (Array.isArray(node)) return node.map((item) => visit(item, edit) as Json);
  if (!isObject(node)) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === 'fractional' && Array.isArray(value) ? edit(value) : (visit(value, edit) as Json),
    ]),
  );
}

function weightOf(entry: readonly Json[]): number {
  return typeof entry[1] === 'number' ? Math.max(0, entry[1]) : 1;
}

export function isObject(value: unknown): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
