import { setTimeout as pace } from 'node:timers/promises';
import { upload } from './customers.ts';
import { until } from './screen.ts';

/** Milliseconds between two writes of a customer. */
const PAUSE = 40;

export interface Written {
  /** Path of a picture whose upload was acknowledged, and the description that was acknowledged last. */
  readonly path: string;
  readonly alt: string;
}

export interface Writers {
  readonly written: readonly Written[];
  /** Answers that were no success, and what came instead. */
  readonly failures: readonly string[];
  /** Milliseconds the slowest write took. */
  slowest(): number;
  /** Resolves when so many more were written. */
  more(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** Four customers who upload pictures and describe them. */
export function startWriters(url: string, cookie: string): Writers {
  const written: Written[] = [];
  const failures: string[] = [];
  let slowest = 0;
  let isOver = false;
  const timed = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    const begun = performance.now();
    const result = await work();
    slowest = Math.max(slowest, performance.now() - begun);
    return result;
  };
  const customer = async (number: number): Promise<void> => {
    for (let turn = 0; !isOver; turn += 1) {
      await pace(PAUSE);
      try {
        const path = await timed(() => upload(url, cookie, 1 + ((number + turn) % 8)));
        const alt = `customer ${number}, picture ${turn}`;
        const { status } = await timed(() => describeAs(url, cookie, path, alt));
        if (status !== 200) throw new Error(`the description was answered with ${status}`);
        written.push({ path, alt });
      } catch (error) {
        failures.push((error as Error).message);
      }
    }
  };
  const all = Promise.all([0, 1, 2, 3].map(customer));
  return {
    written,
    failures,
    slowest: () => Math.round(slowest),
    async more(count) {
      const enough = written.length + count;
      await until(`${count} writes`, () => written.length >= enough, 30_000).catch((error: Error) => {
        throw new Error(`${error.message}; ${failures.length} failed: ${failures.at(-1)}`);
      });
    },
    async stop() {
      isOver = true;
      await all;
    },
  };
}

function describeAs(url: string, cookie: string, path: string, alt: string): Promise<Response> {
  return fetch(url + path, {
    method: 'PATCH',
    headers: { cookie, 'content-type': 'application/json' },
    body: JSON.stringify({ alt }),
  });
}
