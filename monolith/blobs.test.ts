import assert from 'node:assert/strict';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { announceRemoval, cleanIncoming, removeBlob, settleBlob, writeBlob } from './blobs.ts';

describe('files of pictures', () => {
  const name = 'products/7/a.png';
  let dir: string;
  const incoming = (): string[] => globSync('incoming/*', { cwd: dir });
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'blobs-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const yes = async (): Promise<boolean> => true;
  const no = async (): Promise<boolean> => false;

  it('are written whole, and can be read before they are settled', async () => {
    await writeBlob(dir, name, Buffer.from('picture'));
    assert.equal(readFileSync(join(dir, name), 'utf8'), 'picture');
    assert.equal(incoming().length, 1);
    await settleBlob(dir, name);
    assert.deepEqual(incoming(), []);
    assert.ok(existsSync(join(dir, name)));
  });

  it('leave nothing when writing fails', async () => {
    writeFileSync(join(dir, 'products'), 'in the way');
    await assert.rejects(writeBlob(dir, name, Buffer.from('picture')));
    assert.deepEqual(incoming(), []);
  });

  it('are never written over', async () => {
    await writeBlob(dir, name, Buffer.from('one'));
    await settleBlob(dir, name);
    await assert.rejects(writeBlob(dir, name, Buffer.from('two')), { code: 'EEXIST' });
    assert.equal(readFileSync(join(dir, name), 'utf8'), 'one');
    assert.deepEqual(incoming(), []);
  });

  it('follow their row when a process ended in the middle', async () => {
    await writeBlob(dir, name, Buffer.from('picture'));
    await cleanIncoming(dir, no, 60_000);
    assert.equal(incoming().length, 1, 'it may be in work');
    await cleanIncoming(dir, async (asked) => asked === name, 0);
    assert.deepEqual([incoming(), existsSync(join(dir, name))], [[], true]);
    await announceRemoval(dir, name);
    await announceRemoval(dir, name);
    await cleanIncoming(dir, no, 0);
    assert.deepEqual([incoming(), existsSync(join(dir, name))], [[], false]);
    await announceRemoval(dir, name);
    await removeBlob(dir, name);
  });

  it('do not keep what was received and forgotten, and leave alone what is not ours', async () => {
    mkdirSync(join(dir, 'incoming/seed-x'), { recursive: true });
    writeFileSync(join(dir, 'incoming/9b2c1f00-0000-4000-8000-000000000000'), '');
    writeFileSync(join(dir, 'incoming/other!products!7!a.png'), '');
    await cleanIncoming(dir, yes, 0);
    assert.deepEqual(incoming(), ['incoming/other!products!7!a.png']);
    await cleanIncoming(join(dir, 'missing'), yes, 0);
  });
});
