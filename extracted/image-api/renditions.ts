import { LRUCache } from 'lru-cache';
import type { Admit } from './clients.ts';
import { ENCODER } from './codecs.ts';
import { createFlights } from './flights.ts';
import type { Render } from './render.ts';
import type { RenditionCache } from './rendition-cache.ts';
import type { Original } from './original.ts';
import { Problem } from './problem.ts';
import type { Wish } from './wish.ts';

export interface RenditionsOptions {
  readonly render: Render;
  /** On the disk; null: none. */
  readonly cache?: RenditionCache | null;
  /** Bytes of renditions in memory; 0: none. Default 32 MiB. */
  readonly memory?: number;
  /** Counts what is being made for each client. Default: nobody is counted. */
  readonly admit?: Admit;
}

/** Where a rendition came from: `shared`: somebody else was having the same one made. */
export type Source = 'memory' | 'disk' | 'miss' | 'shared';

export interface Rendition {
  readonly bytes: Buffer;
  readonly source: Source;
}

/** A stored picture, as far as a rendition depends on it. */
export interface Subject {
  readonly id: string;
  readonly sha256: string;
}

export interface Renditions {
  /** What is in memory, at once. */
  atHand(subject: Subject, wish: Wish): Buffer | undefined;
  /** From the disk, or made; once, for all who ask at the same time. An aborted signal leaves. `client` is counted only when something is made for it. */
  of(
    subject: Subject,
    wish: Wish,
    original: () => Original,
    asked?: { readonly signal?: AbortSignal; readonly client?: string | undefined },
  ): Promise<Rendition>;
  /** Forgets all of a picture; best effort, as other processes have a memory of their own. What may be served is for the rows to say. */
  purge(subject: Subject): void;
}

export function createRenditions({
  render,
  cache = null,
  memory = 32 * 2 ** 20,
  admit = () => () => undefined,
}: RenditionsOptions): Renditions {
  const inMemory =
    memory === 0
      ? null
      : new LRUCache<string, Buffer>({
          maxSize: memory,
          maxEntrySize: Math.ceil(memory / 4),
          sizeCalculation: (bytes, key) => bytes.length + key.length + 1,
        });
  const flights = createFlights<Rendition>();
  const keyOf = ({ sha256 }: Subject, wish: Wish): string => `${sha256}${wish.mark}-${ENCODER}`;

  const make = async (
    key: string,
    { sha256 }: Subject,
    wish: Wish,
    original: () => Original,
    client: string | undefined,
    signal: AbortSignal,
  ): Promise<Rendition> => {
    const kept = await cache?.read(key);
    if (kept) {
      inMemory?.set(key, kept);
      return { bytes: kept, source: 'disk' };
    }
    const leave = client === undefined ? () => undefined : admit(client);
    try {
      const bytes = await original().withFile((path) => render({ path, sha256 }, wish, signal));
      inMemory?.set(key, bytes);
      // Nobody waits for that, and the next picture is in work meanwhile.
      void cache?.keep(key, bytes);
      return { bytes, source: 'miss' };
    } finally {
      leave();
    }
  };

  return {
    atHand(subject, wish) {
      const key = keyOf(subject, wish);
      const bytes = inMemory?.get(key);
      if (bytes) cache?.touch(key);
      return bytes;
    },
    async of(subject, wish, original, { signal, client } = {}) {
      const key = keyOf(subject, wish);
      const work = (ending: AbortSignal): Promise<Rendition> =>
        make(key, subject, wish, original, client, ending);
      for (;;) {
        // Of pictures with equal bytes one may be deleted, and its file with it: what is made of the other must not end with that.
        const { result, isShared } = flights.join(`${subject.id}:${key}`, work, signal);
        try {
          const { bytes, source } = await result;
          return { bytes, source: isShared ? 'shared' : source };
        } catch (error) {
          // It was the other client who has too many; this one counts for itself.
          if (!isShared || !(error instanceof Problem) || error.status !== 429) throw error;
        }
      }
    },
    purge(subject) {
      for (const key of inMemory?.keys() ?? [])
        if (key.startsWith(`${subject.sha256}-`)) inMemory?.delete(key);
      cache?.purge(`${subject.sha256}-`);
    },
  };
}
