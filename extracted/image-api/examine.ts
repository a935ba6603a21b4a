import { Worker } from 'node:worker_threads';
import type { Walked } from './parts.ts';
import type { Kind } from './wish.ts';

/** What is known of a received file when all of its bytes were looked at. */
export interface Examined {
  /** Of all its bytes, in hexadecimal. */
  readonly sha256: string;
  /** What a walk over its container found; null for what has to be encoded anew. */
  readonly walked: Walked | 'damaged' | null;
}

/** Rejects when the file can not be read. */
export type Examine = (path: string, kind: Kind) => Promise<Examined>;

export interface Order {
  readonly number: number;
  readonly path: string;
  readonly kind: Kind;
}

export type Report = { readonly number: number } & (
  { readonly examined: Examined } | { readonly error: Error }
);

/**
 * Looks at received files in a thread of its own, one after the other: that takes milliseconds of CPU for each, in which the loop would serve nobody. The thread
 * begins with the first file, keeps no process from ending, and is replaced should it end. `script`: what it runs.
 */
export function createExamine(script = new URL('examine-worker.ts', import.meta.url)): Examine {
  const asked = new Map<number, PromiseWithResolvers<Examined>>();
  let worker: Worker | null = null;
  let last = 0;

  const begin = (): Worker => {
    const begun = new Worker(script);
    begun.on('message', (report: Report) => {
      const waiting = asked.get(report.number);
      asked.delete(report.number);
      if ('error' in report) waiting?.reject(report.error);
      else waiting?.resolve(asSent(report.examined));
    });
    const ended = (error: Error): void => {
      if (worker !== begun) return;
      worker = null;
      for (const waiting of asked.values()) waiting.reject(error);
      asked.clear();
    };
    begun.on('error', (error) => ended(error as Error));
    begun.on('exit', () => ended(new Error('the thread that looks at uploads ended')));
    begun.unref();
    return begun;
  };

  return (path, kind) => {
    worker ??= begin();
    const number = ++last;
    const waiting = Promise.withResolvers<Examined>();
    asked.set(number, waiting);
    worker.postMessage({ number, path, kind } satisfies Order);
    return waiting.promise;
  };
}

/** On their way between threads buffers become plain arrays of bytes. */
function asSent({ sha256, walked }: Examined): Examined {
  if (walked === null || walked === 'damaged') return { sha256, walked };
  const parts = walked.parts.map((part) => (part instanceof Uint8Array ? Buffer.from(part) : part));
  return { sha256, walked: { ...walked, parts } };
}
