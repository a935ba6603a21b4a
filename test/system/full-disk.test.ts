import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { startImageApi, type Answer, type ImageApiProcess } from '../support/image-api-process.ts';
import { openImageSides, type ImageSides } from '../support/image-sides.ts';

const BOUNDARY = 'ZuRkKeNnUnG';
const MIB = 2 ** 20;

/** On a real file system of 16 MiB, which only root may mount. */
describe('the image-api on a full disk', () => {
  for (const data of ['shared', 'own'] as const) {
    describe(`data: ${data}`, () => {
      let sides: ImageSides;
      let disk: string;
      let service: ImageApiProcess;
      const filler = (): string => join(disk, 'filler');
      before(async () => {
        disk = mkdtempSync(join(tmpdir(), 'full-disk-'));
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]);
        sides = await openImageSides();
        service = await startImageApi(sides, data, {
          BLOB_URL: `file:${disk}`,
          IMAGE_CACHE_DIR: join(disk, 'cache'),
          LOG_LEVEL: 'error',
        });
      });
      after(async () => {
        await service?.stop();
        await sides?.close();
        execFileSync('umount', [disk]);
        rmSync(disk, { recursive: true });
      });

      const upload = async (bytes: Buffer, key = ''): Promise<Answer> =>
        service.ask(
          'POST',
          '/products/1/images',
          {
            cookie: sides.cookie,
            'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
            ...(key && { 'idempotency-key': key }),
          },
          Buffer.concat([
            Buffer.from(
              `--${BOUNDARY}\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\n`,
            ),
            bytes,
            Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
          ]),
        );
      /** Leaves so many bytes of the disk. */
      const leave = (bytes: number): void => {
        rmSync(filler(), { force: true });
        const { bavail, bsize } = statfsSync(disk);
        writeFileSync(filler(), Buffer.alloc(Math.max(0, bavail * bsize - bytes)));
      };
      const state = async (): Promise<{ rows: number; files: number; incoming: string[] }> => {
        const side = data === 'own' ? sides.ownImageApi : sides.imageApi;
        const { rows } = await side.pool.query(`SELECT count(*) FROM ${side.table}`);
        return {
          rows: Number(rows[0].count),
          files: globSync('{sha256,products}/*/*', { cwd: disk }).length,
          incoming: globSync('incoming/*', { cwd: disk }),
        };
      };
      const noisy = (width: number): ReturnType<typeof sharp> =>
        sharp({
          create: {
            width,
            height: width,
            channels: 3,
            background: '#888',
            noise: { type: 'gaussian', mean: 128, sigma: 40 },
          },
        });

      it('answers 507 and keeps nothing, wherever the room ends, and works again when there is some', async () => {
        const kept = await noisy(1200).jpeg({ quality: 95 }).toBuffer();
        const cut = Buffer.concat([kept, Buffer.alloc(1000)]);
        const encoded = await noisy(1200).withMetadata({ orientation: 3 }).jpeg({ quality: 95 }).toBuffer();
        const before = await state();
        let refused = 0;
        for (const [n, bytes] of [kept, cut, encoded].entries())
          for (let room = 0; room < 2.5 * bytes.length; room += Math.ceil(bytes.length / 5)) {
            leave(room);
            const answer = await upload(bytes, `key-${n}`);
            if (answer.status === 201) {
              // There was room for it; away with it, so that the next one finds what is left.
              const { location } = answer.headers;
              const gone = await service.ask('DELETE', String(location), { cookie: sides.cookie });
              assert.equal(gone.status, 204);
              break;
            }
            refused++;
            assert.equal(answer.status, 507, answer.body.toString());
            assert.match(answer.body.toString(), /"code":"NO_SPACE".*no room/);
            const { rows, incoming } = await state();
            assert.deepEqual([rows, incoming], [before.rows, []], `${room} bytes were left`);
          }
        assert.ok(refused >= 9, `${refused} were refused`);
        rmSync(filler());
        assert.equal((await upload(await noisy(300).jpeg().toBuffer())).status, 201);
        assert.ok(service.isAlive());
      }).timeout(60_000);

      it('serves pictures in any size without room to keep them', async () => {
        const { headers } = await upload(await noisy(500).jpeg().toBuffer());
        leave(0);
        for (const width of [100, 200, 300]) {
          const { status, body } = await service.ask('GET', `${String(headers['location'])}?w=${width}`);
          assert.equal(status, 200);
          assert.equal((await sharp(body).metadata()).width, width);
        }
        assert.match(
          (await service.ask('GET', '/metrics')).body.toString(),
          /image_api_cache_errors_total [1-9]/,
        );
        leave(4 * MIB);
        assert.equal((await service.ask('GET', `${String(headers['location'])}?w=400`)).status, 200);
      });
    });
  }
});
