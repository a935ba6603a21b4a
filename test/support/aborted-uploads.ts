import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import sharp from 'sharp';
import { openImageSides } from './image-sides.ts';
import { startImageApi } from './image-api-process.ts';
import { until } from './until.ts';

const BOUNDARY = 'ZuRkKeNnUnG';
const NOTHING = { incoming: [], withoutRow: [], withoutFile: [] };

/** Uploads, whole as bytes: pixels kept as they came, pixels cut out of their file, pixels encoded anew. */
async function forms(): Promise<Buffer[]> {
  const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
  const picture = sharp({ create: { width: 900, height: 700, channels: 3, background: '#888', noise } });
  const plain = await picture.clone().jpeg().toBuffer();
  const pictures = [
    plain,
    await picture.clone().png().toBuffer(),
    Buffer.concat([plain, Buffer.from('behind the end')]),
    await picture.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  ];
  return pictures.map((bytes) =>
    Buffer.concat([
      Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\n`),
      bytes,
      Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
    ]),
  );
}

/** Breaks off so many uploads, each after another number of its bytes, some only after the last: afterwards there is nothing that is not a picture with its row. */
export async function abortUploads(
  data: 'shared' | 'own',
  times: number,
  random: () => number,
): Promise<{ stored: number }> {
  const sides = await openImageSides();
  const service = await startImageApi(sides, data).catch(async (error: unknown) => {
    await sides.close();
    throw error;
  });
  try {
    const side = data === 'own' ? sides.ownImageApi : sides.imageApi;
    const count = async (): Promise<number> =>
      Number((await side.pool.query(`SELECT count(*) FROM ${side.table}`)).rows[0].count);
    const bodies = await forms();
    const abort = async (): Promise<void> => {
      const body = bodies[Math.floor(random() * bodies.length)]!;
      const head = Buffer.from(
        [
          'POST /products/1/images HTTP/1.1',
          'host: x',
          `cookie: ${sides.cookie}`,
          `content-type: multipart/form-data; boundary=${BOUNDARY}`,
          `content-length: ${body.length}`,
          'idempotency-key: aborted',
          '',
          '',
        ].join('\r\n'),
      );
      const request = Buffer.concat([head, body]);
      // One in ten goes away after its last byte, while the picture is being looked at.
      const offset = random() < 0.1 ? request.length : Math.floor(random() * request.length);
      const socket = connect(service.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.on('error', () => undefined);
      const closed = once(socket, 'close');
      if (offset === 0) socket.destroy();
      else socket.write(request.subarray(0, offset), () => socket.destroy());
      await closed;
    };
    await abort();
    const before = await count();
    const start = service.handles().filter((handle) => !handle.startsWith('socket:')).length;
    let left = times;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        while (left-- > 0) await abort();
      }),
    );
    const files = (): string[] => service.handles().filter((handle) => !handle.startsWith('socket:'));
    // The last ones may still be on their way in; what is left for good never goes.
    let leftovers = {};
    await until(
      async () => {
        leftovers = await side.leftovers();
        return files().length <= start && isDeepStrictEqual(leftovers, NOTHING);
      },
      () => `what was received to go: ${JSON.stringify(leftovers)} ${files().join(', ')}`,
      30_000,
    );
    assert.ok(service.isAlive());
    // Those that were whole may be stored; all carried one key, and what differs under it is refused.
    const stored = (await count()) - before;
    assert.ok(stored <= 1, `${stored} stored`);
    return { stored };
  } finally {
    await service.stop();
    await sides.close();
  }
}
