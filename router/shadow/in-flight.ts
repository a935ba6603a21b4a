import type { Sample } from './sample.ts';

/** The samples that were handed to the thread and of which nothing was heard yet. */
export class InFlight {
  readonly #samples = new Map<number, { readonly sample: Sample; readonly at: number }>();
  readonly #byFeature = new Map<string, number>();

  /** `at`: since when, in milliseconds. */
  add(sample: Sample, at: number): void {
    this.#samples.set(sample.id, { sample, at });
    this.#byFeature.set(sample.of.feature, this.count(sample.of.feature) + 1);
  }

  /** Its place and memory are free again; undefined when they were before. */
  release(id: number): Sample | undefined {
    const sample = this.#samples.get(id)?.sample;
    if (!sample) return undefined;
    this.#samples.delete(id);
    this.#byFeature.set(sample.of.feature, this.count(sample.of.feature) - 1);
    sample.free();
    return sample;
  }

  has(id: number): boolean {
    return this.#samples.has(id);
  }

  count(feature: string): number {
    return this.#byFeature.get(feature) ?? 0;
  }

  get size(): number {
    return this.#samples.size;
  }

  /** All of them; releasing some meanwhile is fine. */
  all(): { readonly id: number; readonly sample: Sample; readonly at: number }[] {
    return [...this.#samples].map(([id, each]) => ({ id, ...each }));
  }
}
