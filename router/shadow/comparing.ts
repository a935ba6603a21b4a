import { Worker } from 'node:worker_threads';
import { header, mediaType } from './compare/answer.ts';
import { compare, type Comparison, type Verdict } from './compare/compare.ts';
import type { Done, Pictures } from './compare/worker.ts';
import type { ShadowLimits } from './options.ts';

/** Bodies up to so many bytes in all are compared at once: handing them to the thread would take longer. */
const SHORT = 4096;

export interface Compared {
  readonly verdict: Verdict;
  readonly pictures: Pictures | null;
}

export interface Comparing {
  /** Compares in the thread. Resolves with null when that failed or took too long; `full` when too many wait. The bodies are given away. */
  compare(comparison: Comparison): Promise<Compared | null | 'full'>;
  waiting(): number;
  close(): Promise<void>;
}

/** The thread that compares: begun with the first comparison, and anew after it has died or got stuck. */
export function createComparing(limits: Pick<ShadowLimits, 'queue' | 'compareMs'>): Comparing {
  const waiting = new Map<number, (compared: Compared | null) => void>();
  let worker: Worker | null = null;
  let timer: NodeJS.Timeout | undefined;
  let nextId = 0;

  /** Ends the thread; what it was asked is answered with null. */
  function drop(): Promise<unknown> {
    const dropped = worker;
    worker = null;
    clearTimeout(timer);
    for (const resolve of waiting.values()) resolve(null);
    waiting.clear();
    return dropped?.terminate() ?? Promise.resolve();
  }

  function watch(): void {
    clearTimeout(timer);
    if (waiting.size > 0) timer = setTimeout(() => void drop(), limits.compareMs).unref();
  }

  function begin(): Worker {
    const begun = new Worker(new URL('./compare/worker.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 },
    });
    begun.unref();
    begun.on('message', ({ id, verdict, pictures }: Done) => {
      const resolve = waiting.get(id);
      waiting.delete(id);
      watch();
      resolve?.(verdict === null ? null : { verdict, pictures });
    });
    const gone = (): void => {
      if (worker === begun) void drop();
    };
    begun.on('error', gone);
    begun.on('exit', gone);
    return begun;
  }

  return {
    async compare(comparison) {
      if (isShort(comparison)) return await inline(comparison);
      if (waiting.size >= limits.queue) return 'full';
      worker ??= begin();
      const id = nextId++;
      const bodies = [comparison.primary, comparison.shadow, comparison.again]
        .flatMap((answer) => answer?.body.buffer ?? [])
        .filter((buffer): buffer is ArrayBuffer => buffer instanceof ArrayBuffer);
      worker.postMessage({ id, comparison }, bodies);
      const compared = new Promise<Compared | null>((resolve) => waiting.set(id, resolve));
      if (waiting.size === 1) watch();
      return await compared;
    },
    waiting: () => waiting.size,
    async close() {
      await drop();
    },
  };
}

/** True when comparing takes less than a tenth of a millisecond: no picture, nothing to unpack. */
function isShort({ primary, shadow, again }: Comparison): boolean {
  const answers = again === null ? [primary, shadow] : [primary, shadow, again];
  const bytes = answers.reduce((sum, { body }) => sum + body.length, 0);
  const isPlain = (answer: (typeof answers)[number]): boolean =>
    answer.body.length === 0 ||
    (header(answer, 'content-encoding') === undefined && !mediaType(answer).startsWith('image/'));
  return bytes <= SHORT && answers.every(isPlain);
}

async function inline(comparison: Comparison): Promise<Compared | null> {
  try {
    return { verdict: await compare(comparison), pictures: null };
  } catch {
    return null;
  }
}
