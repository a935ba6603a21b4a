import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openFiles, type Files } from './files.ts';

const NAME = 'products/7/a.jpeg';

describe('the blob folder', () => {
  let folder: string;
  let files: Files;
  const write = async (name: string, text: string): Promise<void> => {
    const path = join(folder, 'incoming', randomUUID());
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    try {
      await files.write(name, path);
    } finally {
      // As who received it does.
      rmSync(path);
    }
  };
  const there = (): string[] => globSync('{incoming,products/*}/*', { cwd: folder }).sort();
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'files-'));
    files = openFiles(folder, 0);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('keeps a promise with a blob until row and blob agree', async () => {
    await write(NAME, 'picture');
    assert.deepEqual(there(), ['incoming/image-api!products!7!a.jpeg', NAME]);
    await files.keep(NAME);
    assert.deepEqual(there(), [NAME]);
    assert.equal(readFileSync(files.pathOf(NAME), 'utf8'), 'picture');
    await files.doom(NAME);
    await files.drop(NAME);
    await files.doom(NAME);
    assert.deepEqual(there(), []);
  });

  it('settles promises by the row, each its own', async () => {
    await write(NAME, 'kept');
    await write('products/7/b.png', 'dropped');
    await files.sweep(async (name) => name === NAME);
    assert.deepEqual(there(), [NAME]);
    // A deletion that came no further than this: the row still stands, so the blob does.
    await files.doom(NAME);
    await files.sweep(async () => true);
    assert.deepEqual(there(), [NAME]);
  });

  it('touches nothing that may be in work, or is another’s', async () => {
    mkdirSync(join(folder, 'incoming'));
    const received = 'incoming/9b2c1f00-0000-4000-8000-000000000000';
    for (const name of [received, 'incoming/shop~products~7~a.jpeg']) writeFileSync(join(folder, name), 'x');
    await openFiles(folder, 60_000).sweep(async () => false);
    assert.equal(there().length, 2);
    await files.sweep(async () => false);
    assert.deepEqual(there(), ['incoming/shop~products~7~a.jpeg']);
  });

  it('leaves nothing when writing fails, and never writes over a blob', async () => {
    writeFileSync(join(folder, 'products'), 'in the way');
    await assert.rejects(write(NAME, 'picture'));
    rmSync(join(folder, 'products'));
    assert.deepEqual(there(), []);
    await write(NAME, 'one');
    await files.keep(NAME);
    await assert.rejects(write(NAME, 'two'), { code: 'EEXIST' });
    assert.equal(readFileSync(files.pathOf(NAME), 'utf8'), 'one');
    assert.deepEqual(there(), [NAME]);
  });
});
