import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arrived } from '../../test/support/arrived.ts';
import { until } from '../../test/support/until.ts';
import type { Session, Staged } from './blobs.ts';
import { openBlobFolder, type BlobFolder } from './blobs-file.ts';

const HOUR = 3_600_000;
const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('the blob folder that is addressed by content', () => {
  let folder: string;
  let blobs: BlobFolder;
  const there = (): string[] => globSync('{incoming,sha256/*}/*', { cwd: folder }).sort();
  /** No row is added, so there is no transaction. */
  const nobody = {} as Session;
  const stage = (text: string, into = blobs): Promise<Staged> => {
    mkdirSync(into.incoming, { recursive: true });
    const file = join(into.incoming, randomUUID());
    writeFileSync(file, text);
    return into.stage(sha256Of(text), arrived(file));
  };
  const place = async (text: string, into = blobs): Promise<string> => {
    const staged = await stage(text, into);
    await staged.place(nobody);
    await staged.discard();
    return sha256Of(text);
  };
  const age = (path: string, milliseconds = 2 * HOUR): void => {
    const then = new Date(Date.now() - milliseconds);
    utimesSync(path, then, then);
  };
  const nothing = async (): Promise<ReadonlySet<string>> => new Set();
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'blobs-'));
    blobs = openBlobFolder(folder);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('keeps equal bytes once, under their hash', async () => {
    const sha256 = await place('picture');
    await place('picture');
    assert.deepEqual(there(), [`sha256/${sha256.slice(0, 2)}/${sha256}`]);
    assert.equal(readFileSync(blobs.pathOf(sha256), 'utf8'), 'picture');
  });

  it('shows nothing before it is placed, and leaves nothing that was not', async () => {
    const staged = await stage('picture');
    assert.match(there().join(), /^incoming\/[0-9a-f-]{36}$/);
    await staged.discard();
    assert.deepEqual(there(), []);
    writeFileSync(join(folder, 'sha256'), 'in the way');
    const second = await stage('picture');
    await assert.rejects(second.place(nobody));
    await second.discard();
    assert.deepEqual(there(), []);
  });

  it('takes equal bytes that are there instead of new ones, as long as they are there, whole', async () => {
    const syncs: string[] = [];
    const counted = async (text: string): Promise<Staged> => {
      const file = join(blobs.incoming, randomUUID());
      writeFileSync(file, text);
      return blobs.stage(sha256Of('picture'), {
        ...arrived(file),
        sync: async () => void syncs.push(text),
      });
    };
    const path = blobs.pathOf(await place('picture'));
    for (const [what, happens, expected] of [
      ['an old one', () => age(path), []],
      ['collected before it is placed', () => rmSync(path), ['picture']],
    ] as const) {
      const staged = await counted('picture');
      happens();
      await staged.place(nobody);
      await staged.discard();
      assert.deepEqual([syncs.splice(0), there().length], [expected, 1], what);
      assert.ok(Date.now() - statSync(path).mtimeMs < HOUR / 2, what);
    }
    writeFileSync(path, 'pict');
    await (await counted('picture')).place(nobody);
    assert.deepEqual([syncs, readFileSync(path, 'utf8')], [['picture'], 'picture']);
  });

  it('collects what no row refers to, after its grace', async () => {
    const [kept, old, young] = [await place('kept'), await place('old'), await place('young')];
    for (const sha256 of [kept, old]) age(blobs.pathOf(sha256));
    const asked: string[] = [];
    await blobs.collect(async (sha256s) => {
      asked.push(...sha256s);
      return new Set([kept]);
    });
    assert.deepEqual(
      there().map((name) => name.split('/').at(-1)),
      [kept, young].sort((a, b) => blobs.pathOf(a).localeCompare(blobs.pathOf(b))),
    );
    assert.ok(!asked.includes(young));
  });

  it('begins the grace anew when a blob is used again, or its row goes', async () => {
    const sha256 = await place('picture');
    age(blobs.pathOf(sha256));
    await place('picture');
    await blobs.collect(nothing);
    assert.equal(there().length, 1);
    age(blobs.pathOf(sha256));
    await blobs.touch(sha256);
    await blobs.collect(nothing);
    assert.equal(there().length, 1);
    await blobs.touch(sha256Of('never there'));
  });

  // The moments between two steps of collecting, met from inside its question; each time somebody uses the blob again just then.
  for (const [moment, again] of [
    ['and was touched before it was moved', 0],
    ['and was placed anew after it was moved', 1],
  ] as const)
    it(`keeps a blob that was judged unused ${moment}`, async () => {
      const sha256 = await place('picture');
      age(blobs.pathOf(sha256));
      let questions = 0;
      await blobs.collect(async () => {
        if (questions++ === again) await (again === 0 ? blobs.touch(sha256) : place('picture'));
        return new Set();
      });
      assert.equal(questions, again + 1);
      assert.deepEqual(there(), [`sha256/${sha256.slice(0, 2)}/${sha256}`]);
    });

  it('keeps a blob whose row came while it was judged', async () => {
    const sha256 = await place('picture');
    age(blobs.pathOf(sha256));
    let questions = 0;
    await blobs.collect(async () => new Set(questions++ === 0 ? [] : [sha256]));
    assert.equal(there().length, 1);
    assert.ok(statSync(blobs.pathOf(sha256)).nlink === 1);
  });

  it('settles what a process that was killed had moved aside', async () => {
    const [referred, garbage] = [await place('referred'), await place('garbage')];
    for (const sha256 of [referred, garbage]) {
      age(blobs.pathOf(sha256));
      renameSync(blobs.pathOf(sha256), join(folder, 'incoming', `doomed!${sha256}!9b2c1f00`));
    }
    await blobs.collect(async (sha256s) => new Set(sha256s.filter((each) => each === referred)));
    assert.deepEqual(there(), [`sha256/${referred.slice(0, 2)}/${referred}`]);
  });

  it('removes nothing when rows can not be asked for', async () => {
    const sha256 = await place('picture');
    age(blobs.pathOf(sha256));
    for (const failing of [0, 1]) {
      let questions = 0;
      const asking = blobs.collect(async () => {
        if (questions++ === failing) throw new Error('the database is away');
        return new Set();
      });
      await assert.rejects(asking, /away/);
      assert.deepEqual(there(), [`sha256/${sha256.slice(0, 2)}/${sha256}`]);
    }
  });

  it('sweeps what was received, but nothing that may be in work or is another’s', async () => {
    mkdirSync(blobs.incoming);
    for (const name of ['9b2c1f00-0000-4000-8000-000000000000', 'shop~products~7~a.jpeg'])
      writeFileSync(join(blobs.incoming, name), 'x');
    await blobs.collect(nothing);
    assert.equal(there().length, 2);
    await openBlobFolder(folder, 0).collect(nothing);
    assert.deepEqual(there(), ['incoming/shop~products~7~a.jpeg']);
  });

  it('loses no blob of a row, however collecting and placing meet', async () => {
    const rows = new Set<string>();
    let isOver = false;
    // Two, as two processes may be at it.
    const collecting = [1, 2].map(async () => {
      while (!isOver)
        await blobs.collect(async (sha256s) => new Set(sha256s.filter((each) => rows.has(each))));
    });
    const uses = Array.from({ length: 4 }, async (_, n) => {
      for (let round = 0; round < 60; round++) {
        const sha256 = await place(`picture ${n}`);
        rows.add(sha256);
        // It may just be aside, and on its way back.
        await until(() => existsSync(blobs.pathOf(sha256)), `blob ${n} in round ${round}`);
        rows.delete(sha256);
        // Its grace is over at once, so that it is collected while it is placed again.
        await utimes(blobs.pathOf(sha256), 0, 0).catch(() => undefined);
      }
    });
    await Promise.all(uses).finally(() => (isOver = true));
    await Promise.all(collecting);
  });
});
