import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client';
import type { Bounded } from './bounded.ts';
import type { RenditionCache } from './rendition-cache.ts';
import type { Source } from './renditions.ts';
import type { Kind } from './wish.ts';

export interface PictureMetrics {
  /** Counts a picture that was served or stored. */
  done(operation: 'render' | 'original' | 'upload', kind: Kind, source: Source | 'none'): void;
  /** Seconds that a rendition was in work, its time in the line not counted. */
  made(kind: Kind, seconds: number): void;
  cacheFailed(): void;
  evicted(count: number): void;
  /** What is asked when somebody looks. */
  observe(parts: { readonly bounded: Bounded; readonly cache: RenditionCache | null }): void;
}

/** What pictures cost and where they come from. All labels are of a known few values. */
export function createPictureMetrics(registry: Registry): PictureMetrics {
  const registers = [registry];
  const pictures = new Counter({
    name: 'image_api_pictures_total',
    help: 'Pictures served or stored, by operation, format and where they came from: shared is a rendition that was being made for another request, none where no cache is asked',
    labelNames: ['operation', 'format', 'cache'],
    registers,
  });
  const seconds = new Histogram({
    name: 'image_api_resize_seconds',
    help: 'Time that renditions were in work, by format; its count is how many were made',
    labelNames: ['format'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20],
    registers,
  });
  const errors = new Counter({
    name: 'image_api_cache_errors_total',
    help: 'Renditions that could not be read from the disk or kept there; they were served all the same',
    registers,
  });
  const evictions = new Counter({
    name: 'image_api_cache_evictions_total',
    help: 'Renditions that this process removed from the disk to make room',
    registers,
  });
  return {
    done: (operation, format, cache) => pictures.inc({ operation, format, cache }),
    made: (format, time) => seconds.observe({ format }, time),
    cacheFailed: () => errors.inc(),
    evicted: (count) => evictions.inc(count),
    observe({ bounded, cache }) {
      const gauge = (name: string, help: string, value: () => number): void =>
        void new Gauge({
          name: `image_api_${name}`,
          help,
          registers,
          collect() {
            this.set(value());
          },
        });
      gauge('pictures_in_work', 'Pictures in work, uploads included', () => bounded.load().inWork);
      gauge('pictures_waiting', 'Pictures that wait for their turn', () => bounded.load().waiting);
      gauge(
        'pictures_bytes',
        'Memory that the pictures in work are reckoned to need',
        () => bounded.load().bytes,
      );
      if (!cache) return;
      gauge(
        'cache_bytes',
        'Renditions on the disk, of all processes that share the folder',
        () => cache.total().bytes,
      );
      gauge('cache_entries', 'Number of renditions on the disk', () => cache.total().entries);
    },
  };
}
