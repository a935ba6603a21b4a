import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { until } from '../../test/support/until.ts';
import { hashOf } from './blob-copy.ts';
import {
  BlobFault,
  carryAll,
  carryDown,
  carryUp,
  dropDown,
  verifyBlob,
  type Blob,
  type BlobFolders,
} from './blobs.ts';

const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const isFault =
  (kind: BlobFault['kind'], place: string) =>
  (error: unknown): boolean =>
    error instanceof BlobFault && error.kind === kind && error.place === place;

describe('carrying blobs between two folders', () => {
  let dir: string;
  let folders: BlobFolders;
  const legacyPath = (blob: Blob): string => join(folders.legacy, blob.path);
  const ownPath = ({ sha256 }: Blob): string => join(folders.own, 'sha256', sha256.slice(0, 2), sha256);
  const put = (path: string, bytes: Buffer): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  };
  const legacyBlob = (bytes: Buffer, path = 'products/7/a.jpeg'): Blob => {
    put(join(folders.legacy, path), bytes);
    return { path, sha256: sha256Of(bytes) };
  };
  const flipBit = (path: string): void => {
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes);
  };
  const incoming = (): string[] => globSync('*/incoming/*', { cwd: dir });
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'carry-'));
    folders = { legacy: join(dir, 'legacy'), own: join(dir, 'own') };
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('brings bytes there and back, whatever their number', async () => {
    for (const size of [0, 1, 2 ** 20 - 1, 2 ** 20, 3 * 2 ** 20 + 17]) {
      const bytes = randomBytes(size);
      const blob = legacyBlob(bytes, `products/7/${size}.jpeg`);
      assert.equal(await carryUp(folders, blob), 'copied');
      assert.deepEqual(readFileSync(ownPath(blob)), bytes);
      rmSync(legacyPath(blob));
      assert.equal(await carryDown(folders, blob), 'copied');
      assert.deepEqual(readFileSync(legacyPath(blob)), bytes);
      await verifyBlob(folders, blob);
    }
    assert.deepEqual(incoming(), []);
  });

  it('keeps equal bytes of two rows once, and brings each its own file back', async () => {
    const [one, other] = [legacyBlob(Buffer.from('x'), 'a/1'), legacyBlob(Buffer.from('x'), 'b/c/2')];
    assert.equal(await carryUp(folders, one), 'copied');
    assert.equal(await carryUp(folders, other), 'there');
    assert.equal(globSync('sha256/*/*', { cwd: folders.own }).length, 1);
    rmSync(folders.legacy, { recursive: true });
    for (const blob of [one, other]) assert.equal(await carryDown(folders, blob), 'copied');
    await verifyBlob(folders, other);
  });

  it('touches what is there, so that its grace begins anew', async () => {
    const blob = legacyBlob(Buffer.from('x'));
    await carryUp(folders, blob);
    utimesSync(ownPath(blob), new Date(0), new Date(0));
    assert.equal(await carryUp(folders, blob), 'there');
    assert.ok(Date.now() - statSync(ownPath(blob)).mtimeMs < 60_000);
  });

  it('carries nothing that has a flipped bit, either way', async () => {
    const blob = legacyBlob(randomBytes(3_000_000));
    await carryUp(folders, blob);
    flipBit(legacyPath(blob));
    rmSync(ownPath(blob));
    await assert.rejects(carryUp(folders, blob), isFault('differs', legacyPath(blob)));
    assert.equal(await hashOf(ownPath(blob)), null);

    const back = legacyBlob(Buffer.from('back'), 'b');
    await carryUp(folders, back);
    rmSync(legacyPath(back));
    flipBit(ownPath(back));
    await assert.rejects(carryDown(folders, back), isFault('differs', ownPath(back)));
    assert.equal(await hashOf(legacyPath(back)), null);
    assert.deepEqual(incoming(), []);
  });

  it('finds a flipped bit or a missing file when it reads again, and heals from the whole one', async () => {
    const blob = legacyBlob(randomBytes(1000));
    await carryUp(folders, blob);
    await verifyBlob(folders, blob);
    for (const [path, heal] of [
      [ownPath(blob), carryUp],
      [legacyPath(blob), carryDown],
    ] as const) {
      flipBit(path);
      await assert.rejects(verifyBlob(folders, blob), isFault('differs', path));
      assert.equal(await heal(folders, blob), 'copied');
      rmSync(path);
      await assert.rejects(verifyBlob(folders, blob), isFault('missing', path));
      assert.equal(await heal(folders, blob), 'copied');
      await verifyBlob(folders, blob);
    }
  });

  it('says which file is missing, and leaves nothing', async () => {
    const blob = { path: 'products/7/gone.jpeg', sha256: sha256Of(Buffer.from('gone')) };
    await assert.rejects(carryUp(folders, blob), isFault('missing', legacyPath(blob)));
    await assert.rejects(carryDown(folders, blob), isFault('missing', ownPath(blob)));
    assert.deepEqual(
      globSync('{legacy,own}/**/*', { cwd: dir }).filter((name) => !name.endsWith('incoming')),
      [],
    );
  });

  it('removes the old side’s file when no row names it, however often', async () => {
    const blob = legacyBlob(Buffer.from('x'));
    for (let n = 0; n < 2; n++) await dropDown(folders, blob.path);
    assert.equal(await hashOf(legacyPath(blob)), null);
    await assert.rejects(dropDown(folders, '../x'), isFault('outside', '../x'));
  });

  it('carries many, and tells those that can not be from the others', async () => {
    const blobs = Array.from({ length: 20 }, (_, n) => legacyBlob(randomBytes(100), `${n}`));
    rmSync(legacyPath(blobs[3]!));
    flipBit(legacyPath(blobs[11]!));
    const faults = await carryAll(carryUp, folders, blobs);
    assert.deepEqual([...faults].map(([blob, { kind }]) => [blob.path, kind]).sort(), [
      ['11', 'differs'],
      ['3', 'missing'],
    ]);
    for (const blob of blobs.filter((each) => !faults.has(each))) await verifyBlob(folders, blob);
    // Two rows with the same bytes at the same time.
    const twins = ['a', 'b', 'c'].map((path) => legacyBlob(Buffer.from('twins'), path));
    assert.equal((await carryAll(carryUp, folders, twins)).size, 0);
    assert.deepEqual(incoming(), []);
    rmSync(folders.own, { recursive: true });
    writeFileSync(folders.own, 'in the way');
    await assert.rejects(carryAll(carryUp, folders, twins), { code: 'ENOTDIR' });
  });

  it('does not follow a row out of the folder', async () => {
    const sha256 = sha256Of(Buffer.from('x'));
    for (const path of ['', '.', '..', '../x', 'a/../../x', '/etc/passwd', 'a\0b'])
      for (const carry of [carryUp, carryDown])
        await assert.rejects(carry(folders, { path, sha256 }), isFault('outside', path));
    await assert.rejects(carryUp(folders, { path: 'a', sha256: '../../x' }), isFault('outside', '../../x'));
  });

  it('goes on after a crash at any step', async () => {
    const bytes = randomBytes(5000);
    const blob = legacyBlob(bytes);
    const states: (() => void)[] = [
      // In the middle of the copy: half of it lies under a name nobody looks for.
      () => put(join(folders.own, 'incoming/9b2c1f00-0000-4000-8000-000000000000'), bytes.subarray(0, 2000)),
      // Copied, not renamed.
      () => put(join(folders.own, 'incoming/9b2c1f00-0000-4000-8000-000000000001'), bytes),
      // The folder is made, and nothing in it.
      () => mkdirSync(dirname(ownPath(blob)), { recursive: true }),
    ];
    for (const crash of states) {
      rmSync(folders.own, { recursive: true, force: true });
      crash();
      assert.equal(await carryUp(folders, blob), 'copied');
      await verifyBlob(folders, blob);
    }
    // Renamed, and nobody heard of it.
    assert.equal(await carryUp(folders, blob), 'there');
  });

  it('leaves whole blobs only, when it is killed', async () => {
    const blobs = Array.from({ length: 150 }, (_, n) =>
      legacyBlob(randomBytes(50_000), `products/7/${n}.jpeg`),
    );
    writeFileSync(join(dir, 'blobs.json'), JSON.stringify(blobs));
    const program = `
      import { readFileSync } from 'node:fs';
      const { carryUp } = await import(process.argv[1]);
      for (const blob of JSON.parse(readFileSync(process.argv[2]))) await carryUp(JSON.parse(process.argv[3]), blob);
    `;
    const args = [join(import.meta.dirname, 'blobs.ts'), join(dir, 'blobs.json'), JSON.stringify(folders)];
    const there = (): string[] => globSync('sha256/*/*', { cwd: folders.own });
    for (const many of [3, 40]) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program, ...args], {
        stdio: 'ignore',
      });
      const exited = once(child, 'exit');
      await until(() => there().length >= many || child.exitCode !== null, 'blobs to be carried');
      child.kill('SIGKILL');
      const [code] = await exited;
      assert.equal(code, null, 'it was still at it');
      for (const name of there())
        assert.equal(await hashOf(join(folders.own, name)), name.split('/')[2], 'a blob that is not whole');
    }
    assert.equal((await carryAll(carryUp, folders, blobs)).size, 0);
    assert.equal(there().length, blobs.length);
  });

  it('does not take what can not be written for a fault of the blob', async () => {
    const blob = legacyBlob(Buffer.from('x'));
    mkdirSync(folders.own);
    writeFileSync(join(folders.own, 'incoming'), 'in the way');
    await assert.rejects(carryUp(folders, blob), (error) => !(error instanceof BlobFault));
  });
});
