/** What kind of thing two answers differ in. `order`: an array holds the same elements in another order. */
export type Kind = 'status' | 'header' | 'json' | 'order' | 'text' | 'bytes' | 'image';

/** One thing that two answers differ in. A side on which it is missing has no value. */
export interface Difference {
  readonly kind: Kind;
  /** `status`, `header location`, a JSON path like `$.items[3].price`, words around a place in a text, `body`, `image width`. */
  readonly where: string;
  readonly primary?: Value;
  readonly shadow?: Value;
}

export type Value = string | number | boolean | null;

/** Differences noted for one comparison; what is beyond says nothing new. */
export const MAX_DIFFERENCES = 50;

/** Longest text of a value that is noted, in characters. */
const MAX_VALUE = 300;

/**
 * Takes the differences of one comparison, less those at places that are known to be noise. `places` holds what `placeOf` says.
 */
export class Findings {
  readonly differences: Difference[] = [];
  /** Things of the body that were looked at and are the same or different; 0: all of it is noise. */
  compared = 0;
  /** Things that were left out as noise. */
  masked = 0;
  readonly places: ReadonlySet<string>;

  constructor(places: ReadonlySet<string>) {
    this.places = places;
  }

  get isFull(): boolean {
    return this.differences.length >= MAX_DIFFERENCES;
  }

  add(difference: Difference): void {
    if (this.places.has(placeOf(difference))) this.masked++;
    else if (!this.isFull) this.differences.push(difference);
  }
}

/** Where a difference is, for all answers of its route: array indexes are generalised, and another order is a place of its own. */
export function placeOf({ kind, where }: Pick<Difference, 'kind' | 'where'>): string {
  if (kind !== 'json' && kind !== 'order') return where;
  return `${kind === 'order' ? 'order ' : ''}${generalised(where)}`;
}

/** `$.items[3].price` → `$.items[*].price`. */
export function generalised(path: string): string {
  return path.replace(/\[\d+\]/g, '[*]');
}

/** A value short enough to be shown. */
export function shown(value: unknown): Value {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}… (${text.length} characters)` : text;
}
