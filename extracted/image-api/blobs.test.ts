import assert from 'node:assert/strict';
import {
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { arrived } from '../../test/support/arrived.ts';
import { openBucketBlobs, sha256Of } from '../../test/support/bucket-blobs.ts';
import { openBlobFolder } from './blobs-file.ts';
import type { Arrived, Blobs, Session } from './blobs.ts';

/** A store to test. */
interface Bed {
  readonly blobs: Blobs;
  /** A file as an upload leaves it. */
  received(text: string): Arrived;
  place(text: string): Promise<string>;
  /** Hashes of all blobs. */
  there(): string[];
  /** Makes a blob older than its grace. */
  age(sha256: string): void;
  close(): void | Promise<void>;
}

async function folderBed(): Promise<Bed> {
  const folder = mkdtempSync(join(tmpdir(), 'blobs-'));
  const blobs = openBlobFolder(folder);
  const received = (text: string): Arrived => {
    const file = join(folder, 'received');
    writeFileSync(file, text);
    return arrived(file);
  };
  return {
    blobs,
    received,
    async place(text) {
      const staged = await blobs.stage(sha256Of(text), received(text));
      await staged.place({} as Session).finally(() => staged.discard());
      return sha256Of(text);
    },
    there: () => globSync('sha256/*/*', { cwd: folder }).map((path) => path.split('/').at(-1)!),
    age: (sha256) => utimesSync(blobs.pathOf(sha256), 0, 0),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What both stores promise; what each does besides is tested beside it. */
for (const [name, open] of [
  ['a folder', folderBed],
  ['a bucket', openBucketBlobs],
] as const)
  describe(`blobs, as ${name} keeps them`, () => {
    let bed: Bed;
    beforeEach(async () => {
      bed = await open();
    });
    afterEach(() => bed.close());
    const nothing = async (): Promise<ReadonlySet<string>> => new Set();
    const local = (): string[] => (existsSync(bed.blobs.incoming) ? readdirSync(bed.blobs.incoming) : []);

    it('are there when they were placed, once for equal bytes, and the file that was received is gone', async () => {
      const sha256 = await bed.place('picture');
      await bed.place('picture');
      const original = bed.blobs.original(sha256);
      assert.deepEqual([bed.there(), local()], [[sha256], []]);
      assert.equal((await buffer(await original.read())).toString(), 'picture');
      assert.equal((await buffer(await original.read({ start: 1, end: 2 }))).toString(), 'ic');
      assert.equal(await original.withFile(async (path) => readFileSync(path, 'utf8')), 'picture');
    });

    it('are nowhere when they were staged only', async () => {
      const file = bed.received('picture');
      const staged = await bed.blobs.stage(sha256Of('picture'), file);
      await staged.discard();
      await staged.discard();
      assert.deepEqual([bed.there(), existsSync(file.path)], [[], false]);
    });

    it('that are missing are told before a byte is sent', async () => {
      const original = bed.blobs.original(sha256Of('never there'));
      await assert.rejects(original.read(), { code: 'ENOENT' });
      const use = async (path: string): Promise<Buffer> => readFileSync(path);
      await assert.rejects(original.withFile(use), { code: 'ENOENT' });
      await bed.blobs.touch(sha256Of('never there'));
      assert.deepEqual(bed.there(), []);
    });

    it('go when no row refers to them, after their grace', async () => {
      const [kept, old, young] = [await bed.place('kept'), await bed.place('old'), await bed.place('young')];
      [kept, old].forEach((sha256) => bed.age(sha256));
      const asked: string[] = [];
      await bed.blobs.collect(async (sha256s) => {
        asked.push(...sha256s);
        return new Set([kept]);
      });
      assert.deepEqual(bed.there().sort(), [kept, young].sort());
      assert.ok(!asked.includes(young));
    });

    it('have their grace anew when they are placed again or touched', async () => {
      const sha256 = await bed.place('picture');
      for (const again of [() => bed.place('picture'), () => bed.blobs.touch(sha256)]) {
        bed.age(sha256);
        await again();
        await bed.blobs.collect(nothing);
        assert.deepEqual(bed.there(), [sha256]);
      }
    });

    it('stay when their row came, or their age went, while they were judged', async () => {
      const sha256 = await bed.place('picture');
      bed.age(sha256);
      let questions = 0;
      await bed.blobs.collect(async () => new Set(questions++ === 0 ? [] : [sha256]));
      assert.deepEqual([bed.there(), questions], [[sha256], 2]);
      await bed.blobs.collect(async () => {
        await bed.blobs.touch(sha256);
        return new Set();
      });
      assert.deepEqual(bed.there(), [sha256]);
    });

    it('stay when rows can not be asked for', async () => {
      const sha256 = await bed.place('picture');
      bed.age(sha256);
      for (const failing of [0, 1]) {
        let questions = 0;
        const asking = bed.blobs.collect(async () => {
          if (questions++ === failing) throw new Error('the database is away');
          return new Set();
        });
        await assert.rejects(asking, /away/);
        assert.deepEqual(bed.there(), [sha256]);
      }
    });
  });
