import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { allocatorFor, youngSpaceFor } from './allocator.ts';

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

describe('the young space of the image-api', () => {
  /** MiB that a process with this environment lets its young space have: a half that is in use, and one to copy to. */
  const most = (env: Record<string, string | undefined>): number => {
    const script = `
      let kept = [];
      let most = 0;
      for (let n = 0; n < 2e6; n++) {
        kept.push({ n });
        if (kept.length > 1e5) kept = [];
        if (n % 1e4 === 0) most = Math.max(most, v8.getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size);
      }
      console.log(most / 2 ** 20);`;
    return Number(execFileSync(process.execPath, ['-e', script], { env: { ...process.env, ...env } }));
  };

  it('is small, whatever other options there are', () => {
    assert.ok(most({ NODE_OPTIONS: '' }) > 8);
    assert.ok(most(youngSpaceFor({})) < 8);
    assert.ok(most(youngSpaceFor({ NODE_OPTIONS: '--no-warnings' })) < 8);
  });

  it('is as somebody says', () => {
    assert.ok(most(youngSpaceFor({ NODE_OPTIONS: '--max-semi-space-size=16' })) > 8);
  });
});
