import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Where Debian's libjemalloc2 puts it. */
const DEBIAN: Readonly<Record<string, string>> = {
  x64: '/usr/lib/x86_64-linux-gnu/libjemalloc.so.2',
  arm64: '/usr/lib/aarch64-linux-gnu/libjemalloc.so.2',
};

/**
 * Environment of a process that makes pictures: with jemalloc where the machine has it, as the allocator of glibc keeps what big pictures needed in pieces that small ones
 * can not use, and grows. A process can't change its allocator, so who starts it does. `IMAGE_API_JEMALLOC=0`, or an LD_PRELOAD of one's own: left as it is.
 */
export function allocatorFor(
  env: Readonly<Record<string, string | undefined>>,
  arch: string = process.arch,
  isThere: (path: string) => boolean = existsSync,
  cores: number = availableParallelism(),
): Record<string, string> {
  const library = DEBIAN[arch];
  if (env['IMAGE_API_JEMALLOC'] === '0' || env['LD_PRELOAD'] || env['MALLOC_ARENA_MAX']) return {};
  // Without it glibc with as many arenas as there are threads at work (a picture a core, one more, and the loop), not eight a core: a fifth less memory after some
  // thousand pictures. With fewer they wait for each other, and a picture costs one or two per cent more.
  return library && isThere(library) ? { LD_PRELOAD: library } : { MALLOC_ARENA_MAX: String(cores + 2) };
}
