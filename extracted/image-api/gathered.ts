/** What a query found, by id; what is not in it is not there. */
export type Ask<T> = (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>;

/**
 * Looks rows up, many at once when many are wanted: while one query is under way the next wishes gather, and one query asks for all of them. Nobody gets a row
 * that was read before he asked, so this is no cache: it is as fresh as a query for each would be. `most`: ids of one query.
 */
export function gather<T>(ask: Ask<T>, most = 500): (id: string) => Promise<T | undefined> {
  let next = new Map<string, PromiseWithResolvers<T | undefined>>();
  let isAsking = false;

  const go = async (): Promise<void> => {
    isAsking = true;
    // What comes within the same turn of the loop goes along.
    await Promise.resolve();
    while (next.size > 0) {
      const taken = [...next].slice(0, most);
      next = new Map([...next].slice(most));
      try {
        const found = await ask(taken.map(([id]) => id));
        for (const [id, { resolve }] of taken) resolve(found.get(id));
      } catch (error) {
        for (const [, { reject }] of taken) reject(error);
      }
    }
    isAsking = false;
  };

  return (id) => {
    let waiting = next.get(id);
    if (!waiting) next.set(id, (waiting = Promise.withResolvers()));
    if (!isAsking) void go();
    return waiting.promise;
  };
}
