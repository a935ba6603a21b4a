import { box, Fields, fullBox, field, NotFollowed, type Box } from './iso-boxes.ts';

/** What says of an auxiliary picture that it is transparency (HEIF, ISO/IEC 23008-12 §6.5.8; the second is from before it was in a standard of its own). */
const ALPHA = new Set(['urn:mpeg:mpegB:cicp:systems:auxiliary:alpha', 'urn:mpeg:hevc:2015:auxid:1']);

/** Colours that are read as sRGB: primaries of BT.709 or unsaid; transfers of sRGB, BT.709, BT.601 or unsaid (ITU-T H.273). */
const PRIMARIES = new Set([1, 2]);
const TRANSFERS = new Set([1, 2, 6, 13]);

/** Whether a property says that its picture is transparency. */
export function isAlpha({ type, body }: Box): boolean {
  return type === 'auxC' && ALPHA.has(auxiliary(body));
}

/**
 * A property of a picture as it is kept: numbers that its kind has, and nothing that has room for more. Null for one that no decoder needs. Throws `NotFollowed`
 * for what would be seen and is not known here.
 */
export function keptProperty({ type, body }: Box, isEssential: boolean): Buffer | null {
  const fields = new Fields(body);
  switch (type) {
    // Width and height.
    case 'ispe':
      expect(fields.number(4) === 0 && fields.left === 8);
      return fullBox(type, 0, 0, fields.take(8));
    // Bits of each channel.
    case 'pixi': {
      expect(fields.number(4) === 0);
      const channels = fields.number(1);
      expect(channels <= 4 && fields.left === channels);
      return fullBox(type, 0, 0, field(channels, 1), fields.take(channels));
    }
    // How it is coded (AV1 ISOBMFF §2.3). The sequence header that may follow is in the coded data too.
    case 'av1C': {
      const bytes = Buffer.from(fields.take(4));
      expect(bytes[0] === 0x81);
      bytes[3]! &= 0x1f;
      return box(type, bytes);
    }
    case 'colr': {
      expect(fields.code() === 'nclx' && fields.left === 7);
      const [primaries, transfer] = [fields.number(2), fields.number(2)];
      expect(PRIMARIES.has(primaries) && TRANSFERS.has(transfer));
      // Named as what renditions take them for. Matrix, and whether black is 0.
      return box(
        type,
        Buffer.from('nclx'),
        field(1, 2),
        field(13, 2),
        fields.take(2),
        field(fields.number(1) & 0x80, 1),
      );
    }
    // Turned, mirrored, cut.
    case 'irot':
      expect(fields.left === 1);
      return box(type, field(fields.number(1) & 3, 1));
    case 'imir':
      expect(fields.left === 1);
      return box(type, field(fields.number(1) & 1, 1));
    case 'clap':
      expect(fields.left === 32);
      return box(type, fields.take(32));
    case 'auxC':
      return fullBox(type, 0, 0, Buffer.from(`${auxiliary(body)}\0`));
    default:
      expect(!isEssential);
      return null;
  }
}

function auxiliary(body: Buffer): string {
  const end = body.indexOf(0, 4);
  return body.toString('latin1', 4, end === -1 ? body.length : end);
}

function expect(isSo: boolean): void {
  if (!isSo) throw new NotFollowed('a property that is not known');
}
