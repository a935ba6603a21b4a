import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** A picture to be made: which product of the catalogue, and which of its views. */
export interface Exposure {
  readonly item: number;
  readonly view: number;
}

/** Threads at most: more than that, and the start of one costs what it saves. */
const MOST_WORKERS = 4;

/**
 * Makes pictures of the catalogue on all cores and hands over each as it is done. A picture takes a good
 * part of a second of computing, and whoever seeds must be able to hear a signal meanwhile. `keep` is awaited before the next picture of the same thread.
 */
export async function makePictures(
  exposures: readonly Exposure[],
  keep: (exposure: Exposure, jpeg: Buffer) => Promise<void>,
): Promise<void> {
  const waiting = [...exposures];
  const work = async (): Promise<void> => {
    if (waiting.length === 0) return;
    const worker = new Worker(new URL('darkroom-worker.ts', import.meta.url));
    try {
      for (let exposure = waiting.shift(); exposure; exposure = waiting.shift())
        await keep(exposure, await picture(worker, exposure));
    } finally {
      await worker.terminate();
    }
  };
  const count = Math.min(MOST_WORKERS, availableParallelism(), exposures.length);
  const results = await Promise.allSettled(Array.from({ length: count }, work));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

function picture(worker: Worker, exposure: Exposure): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (): void => void worker.off('message', arrived).off('error', failed).off('exit', ended);
    const arrived = (jpeg: Uint8Array): void => (done(), resolve(Buffer.from(jpeg)));
    const failed = (error: Error): void => (done(), reject(error));
    const ended = (): void => (done(), reject(new Error('the thread that makes pictures ended')));
    worker.on('message', arrived).on('error', failed).on('exit', ended);
    worker.postMessage(exposure, []);
  });
}
