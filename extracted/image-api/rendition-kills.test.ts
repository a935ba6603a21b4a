import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRenditionCache, type RenditionCache } from './rendition-cache.ts';

const WRITER = join(import.meta.dirname, '../../test/support/rendition-writer.ts');

describe('renditions on the disk of several processes', function () {
  this.timeout(120_000);
  let folder: string;
  let warnings: string[];
  let errors: number;
  const children: ChildProcess[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'renditions-'));
    warnings = [];
    errors = 0;
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const cacheOf = (limit: number): Promise<RenditionCache> =>
    openRenditionCache({
      folder,
      limit,
      log: { warn: (_entry: unknown, message?: string) => warnings.push(message ?? '') },
      onError: () => (errors += 1),
    });
  const files = (): string[] => globSync('files/*/*', { cwd: folder });
  /** Of files that were placed before a time, in milliseconds. */
  const bytesOnDisk = (time = Infinity): number =>
    files().reduce((sum, file) => {
      const found = statSync(join(folder, file), { throwIfNoEntry: false });
      return sum + (found && found.ctimeMs < time ? found.size : 0);
    }, 0);
  const writer = (limit: number, first: number, count: number): ChildProcess => {
    const args = [WRITER, folder, limit, first, count].map(String);
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    return child;
  };

  it('holds its limit under 10,000 renditions from two processes', async () => {
    const limit = 1_000_000;
    const writers = [writer(limit, 0, 5000), writer(limit, 2504, 5000)];
    const ends = writers.map(async (child) => once(child, 'exit'));
    let output = '';
    for (const child of writers) {
      child.stderr!.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.stdout!.resume();
    }
    let isOver = false;
    const over = Promise.all(ends).then((codes) => ((isOver = true), codes));
    let most = 0;
    while (!isOver) {
      // One moment's: what was placed before the listing and is still there after it. Clocks of file systems go in steps of some milliseconds.
      most = Math.max(most, bytesOnDisk(Date.now() - 10));
      await new Promise(setImmediate);
    }
    assert.deepEqual((await over).flat(), [0, null, 0, null], output);
    assert.equal(output, '');
    assert.ok(most <= limit, `${most} bytes were there at once`);
    const cache = await cacheOf(limit);
    const { bytes, entries } = cache.total();
    assert.deepEqual([bytesOnDisk(), files().length], [bytes, entries]);
    assert.ok(bytes > 0.95 * limit, `${bytes} bytes are used of ${limit}`);
    await cache.close();
  });

  it('never serves a broken rendition, whenever writers are killed', async () => {
    const limit = 300_000;
    let seen = 0;
    for (let round = 0; round < 12; round++) {
      const child = writer(limit, round * 1000, 100_000);
      const exited = once(child, 'exit');
      let lines = 0;
      const enough = 40 + round * 17;
      await new Promise<void>((resolve) => {
        child.stdout!.on('data', (chunk: Buffer) => {
          lines += chunk.toString().split('\n').length - 1;
          if (lines >= enough) resolve();
        });
      });
      child.kill('SIGKILL');
      await exited;
      const cache = await cacheOf(limit);
      assert.ok(cache.total().bytes <= limit);
      const kept = files().filter((file) => !file.endsWith('.tmp'));
      for (const file of kept) {
        const key = file.slice('files/ab/'.length);
        const bytes = await cache.read(key);
        assert.ok(bytes, `${key} is whole`);
        const n = Number(/-(\d+)x/.exec(key)![1]);
        assert.ok(bytes.equals(Buffer.alloc(500 + ((n * 7919) % 9000), `${n},`)));
        seen += 1;
      }
      await cache.close();
    }
    assert.ok(seen > 100, `${seen} were looked at`);
    assert.deepEqual([warnings, errors], [[], 0]);
  });
});
