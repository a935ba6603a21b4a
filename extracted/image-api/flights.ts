/** Does a piece of work once for all who want it at the same time. */
export interface Flights<T> {
  /**
   * Joins the work under `key`, or begins it. Rejects with the signal's reason when the caller goes away, which ends nothing for the others; when the last
   * one has gone, the signal that the work was given fires. `isShared`: another one began it.
   */
  join(
    key: string,
    work: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): { readonly result: Promise<T>; readonly isShared: boolean };
}

interface Flight<T> {
  readonly result: Promise<T>;
  readonly ending: AbortController;
  waiting: number;
}

export function createFlights<T>(): Flights<T> {
  const flights = new Map<string, Flight<T>>();

  const begin = (key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> => {
    const ending = new AbortController();
    const flight: Flight<T> = {
      ending,
      waiting: 0,
      result: work(ending.signal).finally(() => forget(key, flight)),
    };
    // Those who wait hear of it; that nobody waits any more is no failure.
    flight.result.catch(() => undefined);
    flights.set(key, flight);
    return flight;
  };
  const forget = (key: string, flight: Flight<T>): void => {
    if (flights.get(key) === flight) flights.delete(key);
  };

  return {
    join(key, work, signal) {
      signal?.throwIfAborted();
      const found = flights.get(key);
      const flight = found ?? begin(key, work);
      flight.waiting += 1;
      const leave = (): void => {
        flight.waiting -= 1;
        if (flight.waiting > 0) return;
        // Who comes from now on must not join what is being ended.
        forget(key, flight);
        flight.ending.abort();
      };
      const result = new Promise<T>((resolve, reject) => {
        const gone = (): void => {
          leave();
          reject(signal!.reason as Error);
        };
        signal?.addEventListener('abort', gone, { once: true });
        const stay = (): void => signal?.removeEventListener('abort', gone);
        flight.result.then(
          (value) => (stay(), resolve(value)),
          (error: Error) => (stay(), reject(error)),
        );
      });
      return { result, isShared: found !== undefined };
    },
  };
}
