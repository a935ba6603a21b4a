import assert from 'node:assert/strict';
import { allocatorFor } from './allocator.ts';

describe('the allocator of the image-api', () => {
  const library = '/usr/lib/aarch64-linux-gnu/libjemalloc.so.2';
  const isThere = (path: string): boolean => path === library;

  it('is jemalloc where the machine has it', () => {
    assert.deepEqual(allocatorFor({}, 'arm64', isThere), { LD_PRELOAD: library });
    assert.deepEqual(allocatorFor({}, 'x64', isThere, 2), { MALLOC_ARENA_MAX: '4' });
    assert.deepEqual(allocatorFor({}, 'riscv64', isThere, 8), { MALLOC_ARENA_MAX: '10' });
  });

  it('is left as it is where somebody says so', () => {
    assert.deepEqual(allocatorFor({ IMAGE_API_JEMALLOC: '0' }, 'arm64', isThere), {});
    assert.deepEqual(allocatorFor({ MALLOC_ARENA_MAX: '8' }, 'arm64', isThere), {});
    assert.deepEqual(allocatorFor({ LD_PRELOAD: '/mine.so' }, 'arm64', isThere), {});
  });
});
