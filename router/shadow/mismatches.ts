import type { Difference, Kind } from './compare/difference.ts';
import type { ShadowLimits } from './options.ts';

/** Two answers that differ, as kept and shown: no body, no cookie, no credential. */
export interface Mismatch {
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  readonly method: string;
  /** Path and query, redacted. */
  readonly path: string;
  readonly route: string;
  /** Who answered the client, and who was asked beside it. */
  readonly primary: string;
  readonly shadow: string;
  /** Kind of the first difference. */
  readonly kind: Kind;
  /** Where the first difference is, for all answers of the route. */
  readonly place: string;
  readonly differences: readonly Difference[];
  /** Pictures of it are kept. */
  readonly hasPictures: boolean;
}

/**
 * The newest mismatches of one feature: so many of each kind and place, so that a frequent one does not push out a rare one, and so many in
 * all. `gone` is told of those that are no longer kept.
 */
export class Mismatches {
  #all: Mismatch[] = [];
  readonly #limits: Pick<ShadowLimits, 'kept' | 'keptPerKind'>;
  readonly #gone: (mismatch: Mismatch) => void;

  constructor(limits: Pick<ShadowLimits, 'kept' | 'keptPerKind'>, gone: (mismatch: Mismatch) => void) {
    this.#limits = limits;
    this.#gone = gone;
  }

  add(mismatch: Mismatch): void {
    this.#all.push(mismatch);
    const alike = this.#all.filter((each) => groupOf(each) === groupOf(mismatch));
    if (alike.length > this.#limits.keptPerKind) this.#drop(alike[0]!);
    if (this.#all.length > this.#limits.kept) this.#drop(this.#oldestOfMost());
  }

  /** Newest first. */
  list(): Mismatch[] {
    return this.#all.toReversed();
  }

  find(id: string): Mismatch | undefined {
    return this.#all.find((each) => each.id === id);
  }

  /** Keeps no longer what is told of as gone. */
  forget(id: string): void {
    const found = this.find(id);
    if (found) this.#drop(found);
  }

  /** Hands all over and keeps none. */
  take(): Mismatch[] {
    const all = this.#all;
    this.#all = [];
    return all;
  }

  #drop(mismatch: Mismatch): void {
    this.#all = this.#all.filter((each) => each !== mismatch);
    this.#gone(mismatch);
  }

  #oldestOfMost(): Mismatch {
    const groups = Map.groupBy(this.#all, groupOf);
    return [...groups.values()].reduce((most, group) => (group.length > most.length ? group : most))[0]!;
  }
}

function groupOf({ kind, route, place }: Mismatch): string {
  return JSON.stringify([kind, route, place]);
}
