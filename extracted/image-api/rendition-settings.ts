import { join, resolve } from 'node:path';
import { trustedProxies } from './trust-proxy.ts';
import { MAX_SIDE } from './wish.ts';

/** How pictures are made from stored ones, for whom, and what is kept of them. */
export interface RenditionSettings {
  /** Folder of what is kept, and its bytes; 0: nothing is. */
  readonly cacheDir: string;
  readonly cacheBytes: number;
  /** Bytes of renditions that are kept in memory; 0: none. */
  readonly cacheMemory: number;
  /** Milliseconds one picture may be in work. */
  readonly workTime: number;
  /** Pictures of one client that may be in work or waiting; 0: as many as there is room for. */
  readonly perClient: number;
  /** Networks whose X-Forwarded-For names the client; null: none. */
  readonly trustProxy: readonly string[] | null;
  /** Widths and heights that may be asked for, in pixels; null: all. */
  readonly sizes: readonly number[] | null;
}

type Env = Readonly<Record<string, string | undefined>>;
type WholeNumber = (name: string, preset: number, least: number, most: number) => number;

/** Throws an error that names the variable and says what it should be. */
export function renditionSettings(env: Env, number: WholeNumber): RenditionSettings {
  return {
    cacheDir: resolve(env['IMAGE_CACHE_DIR'] || join(env['DATA_DIR'] || '.data', 'image-cache')),
    cacheBytes: number('IMAGE_CACHE_BYTES', 2 ** 30, 0, 2 ** 50),
    cacheMemory: number('IMAGE_CACHE_MEMORY_BYTES', 32 * 2 ** 20, 0, 2 ** 40),
    workTime: number('IMAGE_API_WORK_MS', 20_000, 1, 3_600_000),
    perClient: number('IMAGE_API_PER_CLIENT', 32, 0, 100_000),
    trustProxy: trustedProxies('IMAGE_API_TRUST_PROXY', env['IMAGE_API_TRUST_PROXY'] || 'loopback'),
    sizes: sizesFrom(env['IMAGE_API_SIZES'] || ''),
  };
}

function sizesFrom(text: string): number[] | null {
  if (text === '') return null;
  return text.split(',').map((entry) => {
    const size = Number(entry);
    if (!/^ *[1-9]\d{0,3} *$/.test(entry) || size > MAX_SIDE)
      throw new Error(`IMAGE_API_SIZES=${text} is not a list like 320,640,1280 of numbers up to ${MAX_SIDE}`);
    return size;
  });
}
