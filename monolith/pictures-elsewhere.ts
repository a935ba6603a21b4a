import type { Product } from './store.ts';

/** Gives products the pictures that a service has of them. */
export type WithPictures = (products: readonly Product[]) => Promise<Product[]>;

/** Milliseconds an answer is used again. */
const FRESH = 5000;
/** Milliseconds the service has to answer; a page waits no longer for its pictures. */
const PATIENCE = 1000;
/** Products asked for at a time, and remembered. */
const AT_ONCE = 8;
const REMEMBERED = 2000;

interface Known {
  readonly images: Product['images'];
  readonly until: number;
}

/**
 * For the time after the pictures have moved out of our database: the service that has them is asked, by the contract everybody uses. While it does not answer,
 * a page shows the pictures it knew last, or none: a shop without pictures still sells. `urlNow`: where `GET /products/{id}/images` is
 * at the moment; null: nobody knows yet.
 */
export function askPictures(urlNow: () => string | null): WithPictures {
  const known = new Map<number, Known>();
  const imagesOf = async (product: number): Promise<Product['images']> => {
    const last = known.get(product);
    if (last && Date.now() < last.until) return last.images;
    try {
      const response = await fetch(`${urlNow()}/products/${product}/images`, {
        signal: AbortSignal.timeout(PATIENCE),
      });
      if (!response.ok) throw new Error(String(response.status));
      const answer = (await response.json()) as Product['images'];
      const images = answer.map(({ id, alt, width, height }) => ({ id, alt, width, height }));
      known.delete(product);
      if (known.size >= REMEMBERED) known.delete(known.keys().next().value!);
      known.set(product, { images, until: Date.now() + FRESH });
      return images;
    } catch {
      return last?.images ?? [];
    }
  };
  return async (products) => {
    const all: Product[] = [...products];
    const rest = all.entries();
    const lane = async (): Promise<void> => {
      for (const [at, product] of rest) all[at] = { ...product, images: await imagesOf(product.id) };
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    return all;
  };
}
