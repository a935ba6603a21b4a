import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyFlags } from './flags.ts';
import { readSettings } from './settings.ts';

describe('the settings of make up', () => {
  it('has a default for everything; an empty variable is none', () => {
    const settings = readSettings({ DATABASE_URL: '', ROUTER_PORT: '' }, '/clone');
    assert.equal(settings.dataDir, '/clone/.data');
    assert.equal(settings.blobDir, '/clone/.data/blobs');
    assert.equal(settings.databaseUrl, null);
    assert.deepEqual(settings.ports, {
      ROUTER_PORT: 8080,
      ADMIN_PORT: 8081,
      MONOLITH_PORT: 3000,
      IMAGE_API_PORT: 3001,
      SMTP_PORT: 2525,
    });
  });

  it('moves the blobs with DATA_DIR, whatever its name holds', () => {
    const { blobDir, blobUrl } = readSettings({ DATA_DIR: '/a b/%41#?' }, '/clone');
    assert.equal(blobDir, '/a b/%41#?/blobs');
    assert.equal(new URL(blobUrl).hash, '');
  });

  it('names the variable that is wrong', () => {
    for (const text of ['x', '0', '65536', '-1', '80.5'])
      assert.throws(() => readSettings({ SMTP_PORT: text }, '/'), /SMTP_PORT=.* is not a port/);
    assert.throws(
      () => readSettings({ ADMIN_PORT: '8080' }, '/'),
      /ROUTER_PORT and ADMIN_PORT are both 8080/,
    );
    assert.throws(() => readSettings({ BLOB_URL: 's3://x' }, '/'), /BLOB_URL=s3:/);
  });

  it('begins with every feature in canary at 0 %, and leaves flags alone that are there', () => {
    const dir = mkdtempSync(join(tmpdir(), 'flags-'));
    try {
      const flag = (stage: string, weight: number): string =>
        JSON.stringify({
          flags: {
            images: {
              state: 'DISABLED',
              defaultVariant: 'monolith',
              targeting: {
                fractional: [
                  ['image-api', weight],
                  ['monolith', 100 - weight],
                ],
              },
              metadata: { stage },
            },
          },
        });
      writeFileSync(join(dir, 'flags.json'), flag('live', 100));
      const copy = join(dir, 'data/flags.json');
      copyFlags(join(dir, 'flags.json'), copy);
      const copied = JSON.parse(readFileSync(copy, 'utf8')) as unknown;
      assert.deepEqual(copied, JSON.parse(flag('canary', 0).replace('DISABLED', 'ENABLED')));
      writeFileSync(copy, 'mine');
      copyFlags(join(dir, 'flags.json'), copy);
      assert.equal(readFileSync(copy, 'utf8'), 'mine');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
