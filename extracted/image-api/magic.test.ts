import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { kindOf } from './magic.ts';

describe('kinds of picture, by their bytes', () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'magic-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  const judge = (bytes: Uint8Array): ReturnType<typeof kindOf> => {
    writeFileSync(join(dir, 'x.svg'), bytes);
    return kindOf(join(dir, 'x.svg'));
  };

  for (const kind of ['jpeg', 'png', 'webp', 'avif', 'gif'] as const) {
    it(`knows ${kind}`, async () => {
      const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: '#888' } });
      assert.equal(await judge(await picture.toFormat(kind).toBuffer()), kind);
    });
  }

  it('takes nothing else, however short or strange', async () => {
    for (const text of [
      '',
      '\xff\xd8',
      ' \xff\xd8\xff',
      '\x89PNG\n',
      'GIF88a',
      'RIFF1234WAVE',
      '<svg/>',
      '%PDF-1.7',
      'II*\0',
      '\0\0\0\x14ftypavi',
      '\0\0\0\x18ftypheic\0\0\0\0mif1heic',
      // The brand lies behind the end of the box.
      '\0\0\0\x14ftypheic\0\0\0\0mif1avif',
    ])
      assert.equal(await judge(Buffer.from(text, 'latin1')), null, JSON.stringify(text));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 70 }), async (bytes) => {
        // Never throws; and by chance nothing begins like a picture.
        assert.equal(await judge(bytes), null);
      }),
      { numRuns: 50 },
    );
  });
});
