import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { received } from '../../test/support/received.ts';
import { placeOf } from './blobs.ts';
import { createReceiving, type Receiving } from './receiving.ts';
import { SLOT } from './slots.ts';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const write = (file: Receiving, bytes: Buffer): Promise<void> =>
  new Promise((resolve, reject) => file.write(bytes, (error) => (error ? reject(error) : resolve())));

describe('receiving files in a thread', function () {
  this.timeout(20_000);
  let folder: string;
  const receive = createReceiving();
  const path = (): string => join(folder, randomUUID());
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'receiving-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('writes what it is given, in whatever pieces, for many files at once', async () => {
    const sizes = [0, 1, SLOT - 1, SLOT, SLOT + 1, 2 * SLOT, 2 * SLOT + 7, 11 * SLOT + 13];
    await Promise.all(
      [...sizes, ...sizes].map(async (size, n) => {
        const bytes = randomBytes(size);
        const [to, piece] = [path(), [70_000, 1_000_000][n % 2]!];
        const file = receive(to);
        for (let at = 0; at < size; at += piece) {
          // What was taken may be written over.
          const chunk = Buffer.from(bytes.subarray(at, at + piece));
          await write(file, chunk);
          chunk.fill(0);
        }
        const { sync, ...examined } = await file.end('gif');
        // What was ended is its reader's.
        await file.drop();
        await sync();
        assert.deepEqual(examined, {
          sha256: sha256(bytes),
          walked: null,
          hasTooManyScans: false,
          isStored: false,
        });
        assert.ok(readFileSync(to).equals(bytes));
      }),
    );
  });

  it('tells what a walk over the container finds', async () => {
    const picture = await sharp({ create: { width: 40, height: 30, channels: 3, background: 'red' } })
      .jpeg()
      .withExif({ IFD0: { Artist: 'somebody' } })
      .toBuffer();
    const { walked } = await received(path(), picture, 'jpeg');
    assert.ok(walked !== null && walked !== 'damaged' && walked.proof === 'beginning');
    assert.ok(walked.parts.length > 1, 'EXIF is left out');
    assert.equal((await received(path(), picture.subarray(0, -100), 'jpeg')).walked, 'damaged');
  });

  it('does not sync what a blob has already, nor what goes elsewhere, unless it is asked to', async () => {
    const bytes = randomBytes(100);
    const blob = join(folder, placeOf(sha256(bytes)));
    const [here, elsewhere] = [true, false].map((isKept) =>
      createReceiving({ blobs: isKept ? folder : null, isKept }),
    );
    mkdirSync(dirname(blob), { recursive: true });
    for (const [to, there, isSynced] of [
      [here!, null, true],
      [here!, bytes, false],
      [here!, bytes.subarray(1), true],
      [elsewhere!, null, false],
    ] as const) {
      rmSync(blob, { force: true });
      if (there) writeFileSync(blob, there);
      for (const isMoved of [false, true]) {
        const at = path();
        const file = to(at);
        await write(file, bytes);
        const ended = await file.end('gif');
        assert.equal(ended.sha256, sha256(bytes));
        assert.equal(ended.isStored, there === bytes);
        // Another's now: where the sync was not under way, there is nothing left to be synced.
        if (isMoved) renameSync(at, `${at}-moved`);
        if (isMoved && !isSynced) await assert.rejects(ended.sync(), { code: 'ENOENT' });
        else await ended.sync();
      }
    }
  });

  it('leaves nothing of a file that is dropped: begun or not, while a slot is written, and while it ends', async () => {
    for (const size of [0, 10, SLOT, 5 * SLOT])
      for (const isEnding of [false, true]) {
        const file = receive(path());
        await write(file, randomBytes(size));
        const ended = isEnding ? file.end('gif').catch(() => null) : null;
        await file.drop();
        await ended;
        assert.deepEqual(readdirSync(folder), [], `${size} bytes, ${isEnding ? 'ending' : 'begun'}`);
      }
  });

  it('tells the code of what the disk says, and goes on with others', async () => {
    const missing = receive(join(folder, 'missing', 'file'));
    await assert.rejects(
      async () => {
        for (let n = 0; n < 4; n++) await write(missing, randomBytes(SLOT));
      },
      { code: 'ENOENT' },
    );
    await missing.drop();
    const taken = await received(path(), randomBytes(10), 'gif');
    const before = readFileSync(taken.path);
    await assert.rejects(received(taken.path, randomBytes(10), 'gif'), { code: 'EEXIST' });
    assert.ok(readFileSync(taken.path).equals(before), 'nobody else’s file is removed');
  });

  it('rejects what was under way when the thread ends, and begins another', async () => {
    const script = new URL(
      'data:text/javascript,import { parentPort } from "node:worker_threads"; parentPort.on("message", () => process.exit(1));',
    );
    const receiveThere = createReceiving({ blobs: null, isKept: true }, script);
    for (let round = 0; round < 2; round++) {
      const file = receiveThere(path());
      await assert.rejects(file.end('jpeg'), /the thread .* ended/);
      await file.drop();
    }
  });
});
