import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { globSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRenditionCache, type RenditionCache } from './rendition-cache.ts';
import { HEADER } from './rendition-file.ts';

const keyOf = (name: string): string => `${createHash('sha256').update(name).digest('hex')}-100x-inside`;

describe('renditions on the disk', function () {
  this.timeout(120_000);
  let folder: string;
  let warnings: string[];
  let errors: number;
  const open: RenditionCache[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'renditions-'));
    warnings = [];
    errors = 0;
  });
  afterEach(async () => {
    for (const cache of open.splice(0)) await cache.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const cacheOf = async (limit: number, stale = 60_000): Promise<RenditionCache> => {
    const cache = await openRenditionCache({
      folder,
      limit,
      stale,
      log: { warn: (_entry: unknown, message?: string) => warnings.push(message ?? '') },
      onError: () => (errors += 1),
    });
    open.push(cache);
    return cache;
  };
  const files = (): string[] => globSync('files/*/*', { cwd: folder });
  const bytesOnDisk = (): number =>
    files().reduce(
      (sum, file) => sum + (statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  const fileOf = (name: string): string => join(folder, 'files', keyOf(name).slice(0, 2), keyOf(name));
  const has = async (cache: RenditionCache, names: string): Promise<string> => {
    let found = '';
    for (const name of names) if (await cache.read(keyOf(name))) found += name;
    return found;
  };
  it('gives back what was kept, and forgets all of a picture that is purged', async () => {
    const cache = await cacheOf(1e6);
    const bytes = Buffer.from('a rendition');
    await cache.keep(keyOf('a'), bytes);
    await cache.keep(keyOf('b'), bytes);
    assert.deepEqual(await cache.read(keyOf('a')), bytes);
    assert.equal(await cache.read(keyOf('c')), null);
    assert.deepEqual(cache.total(), { bytes: 2 * (bytes.length + HEADER), entries: 2 });
    cache.purge(keyOf('a').slice(0, 65));
    assert.equal(await has(cache, 'ab'), 'b');
    assert.equal(files().length, 1);
  });

  it('removes the least recently used first, also of what was used before a restart', async () => {
    const bytes = Buffer.alloc(100 - HEADER);
    const first = await cacheOf(500);
    for (const name of 'abcde') await first.keep(keyOf(name), bytes);
    assert.equal(await has(first, 'a'), 'a');
    first.touch(keyOf('b'));
    await first.close();
    const second = await cacheOf(500);
    await second.keep(keyOf('f'), bytes);
    await second.keep(keyOf('g'), bytes);
    assert.deepEqual(second.total(), { bytes: 500, entries: 5 });
    assert.equal(await has(second, 'abcdefg'), 'abefg');
  });

  it('names no file whose room was given to others while it was written', async () => {
    const cache = await cacheOf(500);
    const names = [...'abcdefghijklmnopqrstuvwxyz'];
    // All rooms are reserved before the first file is written.
    await Promise.all(names.map((name) => cache.keep(keyOf(name), Buffer.alloc(100 - HEADER))));
    assert.deepEqual([await has(cache, names.join('')), files().length], ['vwxyz', 5]);
  });

  it('holds a limit that is lower than the one before', async () => {
    const first = await cacheOf(1000);
    for (const name of 'abcdefgh') await first.keep(keyOf(name), Buffer.alloc(100 - HEADER));
    await first.close();
    await cacheOf(400);
    assert.equal(bytesOnDisk(), 400);
  });

  it('keeps nothing that is larger than a quarter of the limit', async () => {
    const cache = await cacheOf(1000);
    await cache.keep(keyOf('a'), Buffer.alloc(250 - HEADER));
    await cache.keep(keyOf('b'), Buffer.alloc(251 - HEADER));
    assert.equal(await has(cache, 'ab'), 'a');
  });

  it('serves no file that is not whole, or under another’s name, and removes it', async () => {
    const cache = await cacheOf(1e6);
    const spoil: Record<string, (file: Buffer) => Buffer> = {
      a: (file) => file.subarray(0, -1),
      b: (file) => Buffer.concat([file, Buffer.from('x')]),
      c: () => Buffer.alloc(0),
      d: (file) => Buffer.alloc(file.length),
      e: (file) => Buffer.from(file.map((byte, at) => (at === file.length - 3 ? byte ^ 1 : byte))),
      f: () => readFileSync(fileOf('whole')),
    };
    for (const name of ['whole', ...Object.keys(spoil)])
      await cache.keep(keyOf(name), Buffer.from(`the picture ${name}`));
    for (const [name, change] of Object.entries(spoil))
      writeFileSync(fileOf(name), change(readFileSync(fileOf(name))));
    assert.equal(await has(cache, 'abcdef'), '');
    assert.deepEqual([files().length, cache.total().entries], [1, 1]);
    assert.ok(await cache.read(keyOf('whole')));
  });

  for (const [name, spoil] of [
    ['no database', Buffer.from('this is no database, but it is quite long all the same '.repeat(100))],
    ['damaged inside', null],
  ] as const) {
    it(`begins anew with an index that is ${name}, and says so once`, async () => {
      const first = await cacheOf(1e6);
      for (let n = 0; n < 400; n++) await first.keep(keyOf(`${n}`), Buffer.from('x'));
      await first.close();
      const index = join(folder, 'index.sqlite');
      const content = readFileSync(index);
      content.fill(0xa5, 4096 + 200);
      writeFileSync(index, spoil ?? content);
      const second = await cacheOf(1e6);
      assert.equal(warnings.length, 1, warnings.join());
      assert.match(warnings[0]!, /thrown away/);
      assert.deepEqual([second.total().entries, files().length], [0, 0]);
      await second.keep(keyOf('a'), Buffer.from('x'));
      assert.equal(await has(second, 'a'), 'a');
    });
  }

  it('goes over to the index that another process began', async () => {
    const first = await cacheOf(1e6);
    await first.keep(keyOf('a'), Buffer.from('x'));
    for (const ending of ['', '-wal', '-shm']) rmSync(join(folder, `index.sqlite${ending}`), { force: true });
    const second = await cacheOf(1e6);
    await first.keep(keyOf('b'), Buffer.from('x'));
    assert.deepEqual([first.total().entries, second.total().entries], [1, 1]);
  });

  it('counts an error and serves on when nothing can be written', async () => {
    const cache = await cacheOf(1e6);
    // A file where the folder should be: as useless as a full disk.
    writeFileSync(join(folder, 'files', keyOf('a').slice(0, 2)), '');
    await cache.keep(keyOf('a'), Buffer.from('x'));
    assert.deepEqual([errors, cache.total().entries], [1, 0]);
    assert.equal(await cache.read(keyOf('a')), null);
    await cache.keep(keyOf('b'), Buffer.from('x'));
    assert.equal(await has(cache, 'b'), 'b');
  });

  it('clears up what killed processes left, and nothing that is young', async () => {
    const cache = await cacheOf(1e6, 5000);
    for (const name of ['row only', 'whole']) await cache.keep(keyOf(name), Buffer.from('x'));
    rmSync(fileOf('row only'));
    const shard = join(folder, 'files', keyOf('whole').slice(0, 2));
    for (const name of ['file-only', `${keyOf('x')}.1.tmp`, 'young', `${keyOf('y')}.2.tmp`])
      writeFileSync(join(shard, name.includes('only') ? `${keyOf('whole').slice(0, 64)}-old` : name), 'x');
    await cache.sweep();
    assert.equal(cache.total().entries, 2, 'young rows stay');
    const old = new Date(Date.now() - 60_000);
    for (const name of [`${keyOf('whole').slice(0, 64)}-old`, `${keyOf('x')}.1.tmp`])
      utimesSync(join(shard, name), old, old);
    const later = await cacheOf(1e6, 0);
    rmSync(join(shard, 'young'));
    rmSync(join(shard, `${keyOf('y')}.2.tmp`));
    writeFileSync(join(shard, `${keyOf('z')}.3.tmp`), 'x');
    utimesSync(
      join(shard, `${keyOf('z')}.3.tmp`),
      new Date(Date.now() + 60_000),
      new Date(Date.now() + 60_000),
    );
    await later.sweep();
    assert.deepEqual(
      [
        later.total().entries,
        files()
          .map((file) => file.slice('files/ab/'.length))
          .sort(),
      ],
      [1, [keyOf('whole'), `${keyOf('z')}.3.tmp`].sort()],
    );
  });
});
