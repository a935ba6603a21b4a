/** The shop's products, as far as this service has to know them. */
export interface Products {
  /** Whether there is such a product; null when nobody can tell at the moment. */
  has(id: string): Promise<boolean | null>;
}

export interface ProductsOptions {
  /** Who keeps the products, as a URL. */
  readonly shopUrl: string;
  /** Milliseconds that a yes holds. Default 1 minute. */
  readonly holds?: number;
  /** Products that are remembered; the one asked for longest ago is forgotten first. Default 10,000. */
  readonly most?: number;
  /** Milliseconds that the shop has to answer. Default 3 s. */
  readonly patience?: number;
}

/**
 * Asks the shop over HTTP, as sessions are asked for. A yes is remembered, and goes on to hold while the shop can't be reached; a no is not, since
 * the product may be added the next moment, and pictures follow a new product at once. However many want to know, one asks.
 */
export function askProducts({
  shopUrl,
  holds = 60_000,
  most = 10_000,
  patience = 3000,
}: ProductsOptions): Products {
  /** When each was last known, the oldest first. */
  const known = new Map<string, number>();
  const asking = new Map<string, Promise<boolean | null>>();

  const ask = async (id: string): Promise<boolean | null> => {
    const answer = await fetch(new URL(`/products/${id}`, shopUrl), {
      method: 'HEAD',
      headers: { accept: 'application/json' },
      redirect: 'manual',
      signal: AbortSignal.timeout(patience),
    }).catch(() => null);
    if (answer?.ok) {
      known.delete(id);
      known.set(id, Date.now());
      const [oldest] = known.keys();
      if (known.size > most) known.delete(oldest!);
      return true;
    }
    if (answer?.status !== 404) return known.has(id) ? true : null;
    known.delete(id);
    return false;
  };
  return {
    has(id) {
      if (Date.now() - (known.get(id) ?? -Infinity) < holds) return Promise.resolve(true);
      const running = asking.get(id) ?? ask(id).finally(() => asking.delete(id));
      asking.set(id, running);
      return running;
    },
  };
}
