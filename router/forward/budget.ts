/**
 * How many second tries an upstream may cost itself. A retry adds load just when there is too much of it, so over the last ten seconds they
 * stay below a tenth of its requests; a few are always allowed, else a quiet service would have none.
 */
export class RetryBudget {
  readonly #requests = new Float64Array(BUCKETS);
  readonly #retries = new Float64Array(BUCKETS);
  #second = 0;
  /** Since the start, for the admin API. */
  total = 0;

  /** Counts a request that sets out. `now` in milliseconds. */
  request(now: number): void {
    this.#turn(now);
    this.#requests[this.#second % BUCKETS]!++;
  }

  /** Takes a retry out of the budget; false when there is none left. */
  take(now: number): boolean {
    this.#turn(now);
    const allowed = Math.max(ALWAYS, sum(this.#requests) * SHARE);
    if (sum(this.#retries) + 1 > allowed) return false;
    this.#retries[this.#second % BUCKETS]!++;
    this.total++;
    return true;
  }

  #turn(now: number): void {
    const second = Math.floor(now / 1000);
    if (second === this.#second) return;
    const passed = Math.min(BUCKETS, second - this.#second);
    for (let index = 1; index <= passed; index++) {
      const bucket = (this.#second + index) % BUCKETS;
      this.#requests[bucket] = 0;
      this.#retries[bucket] = 0;
    }
    this.#second = second;
  }
}

/** One-second buckets: the window is ten seconds long. */
const BUCKETS = 10;
const SHARE = 0.1;
/** Retries in the window that need no requests to back them. */
const ALWAYS = 3;

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
