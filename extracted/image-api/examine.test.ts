import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { createExamine } from './examine.ts';

describe('looking at received files in a thread', function () {
  this.timeout(10_000);
  let folder: string;
  before(() => void (folder = mkdtempSync(join(tmpdir(), 'examine-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('tells hash and parts, and goes on after a file that is not there', async () => {
    const examine = createExamine();
    const picture = await sharp({ create: { width: 40, height: 30, channels: 3, background: 'red' } })
      .jpeg()
      .withExif({ IFD0: { Artist: 'somebody' } })
      .toBuffer();
    const path = join(folder, 'picture');
    writeFileSync(path, picture);
    const missing = examine(join(folder, 'missing'), 'jpeg');
    const found = examine(path, 'jpeg');
    await assert.rejects(missing, /ENOENT/);
    const { sha256, walked } = await found;
    assert.equal(sha256, createHash('sha256').update(picture).digest('hex'));
    assert.ok(walked !== null && walked !== 'damaged' && walked.proof === 'beginning');
    assert.ok(walked.parts.length > 1, 'EXIF is left out');
    writeFileSync(path, picture.subarray(0, -100));
    assert.equal((await examine(path, 'jpeg')).walked, 'damaged');
    assert.equal((await examine(path, 'gif')).walked, null);
  });

  it('rejects what was asked when the thread ends, and begins another', async () => {
    const script = new URL(
      'data:text/javascript,import { parentPort } from "node:worker_threads"; parentPort.on("message", () => process.exit(1));',
    );
    const examine = createExamine(script);
    for (let round = 0; round < 2; round++)
      await assert.rejects(examine(join(folder, 'any'), 'jpeg'), /the thread .* ended/);
  });
});
