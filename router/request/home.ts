/** Where the writes of one thing are done, as far as a side has said. */
export interface Home {
  readonly upstream: string;
  /** Rises with every handover of what the thing belongs to; the highest is the truth. */
  readonly epoch: number;
}

/** What a side says of a write that is not its own. */
export interface Misdirected extends Home {
  /** It is being handed over at this moment: neither side takes the write yet. */
  readonly isMoving: boolean;
}

/** Things remembered of one feature; what is forgotten costs one more question. */
const MAX_KNOWN = 20_000;
/** Longest name of a thing, in characters; a longer one is treated as unknown. */
const MAX_SUBJECT = 256;
/** Weight of one write in the share of the service: about the last hundred writes count. */
const WEIGHT = 0.02;

/** Reads the value of `Strangler-Home`, `NAME; epoch=N[; moving]`. Null: it is none, or names neither of `sides`. */
export function readHome(value: string | null, sides: readonly string[]): Misdirected | null {
  const found = /^([^\s;]{1,63});[ \t]*epoch=(\d{1,15})(;[ \t]*moving)?$/.exec(value ?? '');
  if (!found || !sides.includes(found[1]!)) return null;
  return { upstream: found[1]!, epoch: Number(found[2]), isMoving: found[3] !== undefined };
}

/**
 * The homes of one feature's things, learned from what sides answer. They are hints: a wrong one costs a question, because the database of the
 * wrong side refuses the write. So they may be forgotten, and differ from router to router.
 */
export class Homes {
  readonly #known = new Map<string, Home>();
  readonly #max: number;
  readonly #counts = new Map<string, number>();
  readonly #service: string;
  readonly #monolith: string;
  /** Share of the latest writes that the service did. */
  #share = 0;

  constructor(monolith: string, service: string, max = MAX_KNOWN) {
    this.#monolith = monolith;
    this.#service = service;
    this.#max = max;
  }

  /** Whom a write of it asks first: its home if that is known, else the side that does most writes. */
  of(subject: string): string {
    return this.#known.get(subject)?.upstream ?? this.majority();
  }

  known(subject: string): Home | null {
    return this.#known.get(subject) ?? null;
  }

  majority(): string {
    return this.#share > 0.5 ? this.#service : this.#monolith;
  }

  /** A side has named a home. False when a later one is known: what it says is out of date. */
  learn(subject: string, { upstream, epoch }: Home): boolean {
    const known = this.#known.get(subject);
    if (known && known.epoch > epoch) return false;
    this.#set(subject, { upstream, epoch });
    return true;
  }

  /**
   * A side has done a write. `named` is what the other one said on the way, if it was asked: having been true, it beats a higher epoch, which
   * then is of an earlier move.
   */
  settled(subject: string, upstream: string, named: Home | null): void {
    this.lean(upstream, 1);
    if (named?.upstream === upstream) this.#set(subject, named);
  }

  /** Counts writes of a side into what most writes do. */
  lean(upstream: string, writes: number): void {
    const kept = (1 - WEIGHT) ** writes;
    this.#share = this.#share * kept + (upstream === this.#service ? 1 - kept : 0);
  }

  /** How many things are known to have their home there. */
  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [this.#monolith, this.#service].map((side) => [side, this.#counts.get(side) ?? 0]),
    );
  }

  #set(subject: string, home: Home): void {
    if (subject.length > MAX_SUBJECT) return;
    this.#forget(subject);
    if (this.#known.size >= this.#max) this.#forget(this.#known.keys().next().value!);
    this.#known.set(subject, { upstream: home.upstream, epoch: home.epoch });
    this.#counts.set(home.upstream, (this.#counts.get(home.upstream) ?? 0) + 1);
  }

  #forget(subject: string): void {
    const known = this.#known.get(subject);
    if (!known) return;
    this.#known.delete(subject);
    this.#counts.set(known.upstream, this.#counts.get(known.upstream)! - 1);
  }
}
