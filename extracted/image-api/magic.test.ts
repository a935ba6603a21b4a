import assert from 'node:assert/strict';
import fc from 'fast-check';
import sharp from 'sharp';
import { kindOf } from './magic.ts';

describe('kinds of picture, by their bytes', () => {
  const judge = (bytes: Uint8Array): ReturnType<typeof kindOf> => kindOf(Buffer.from(bytes));

  for (const kind of ['jpeg', 'png', 'webp', 'avif', 'gif'] as const) {
    it(`knows ${kind}`, async () => {
      const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: '#888' } });
      assert.equal(judge(await picture.toFormat(kind).toBuffer()), kind);
    });
  }

  it('takes nothing else, however short or strange', () => {
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
      assert.equal(judge(Buffer.from(text, 'latin1')), null, JSON.stringify(text));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        // Never throws; and by chance nothing begins like a picture.
        assert.equal(judge(bytes), null);
      }),
      { numRuns: 50 },
    );
  });
});
