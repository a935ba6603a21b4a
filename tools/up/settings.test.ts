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
      EMAIL_API_PORT: 3002,
      SMTP_PORT: 2525,
    });
  });

  it('gives each image-api a port that no other variable names', () => {
    const ports = (env: Record<string, string>): readonly number[] => readSettings(env, '/').imageApiPorts;
    assert.deepEqual(ports({}), [3001]);
    assert.deepEqual(ports({ IMAGE_API_INSTANCES: '2', IMAGE_API_PORT: '2999' }), [2999, 3001]);
    assert.deepEqual(ports({ IMAGE_API_INSTANCES: '3', SMTP_PORT: '3003' }), [3001, 3004, 3005]);
    for (const text of ['0', '33', 'x', '-1', '1.5'])
      assert.throws(
        () => ports({ IMAGE_API_INSTANCES: text }),
        /IMAGE_API_INSTANCES=.* is not a number from 1/,
      );
    assert.throws(() => ports({ IMAGE_API_INSTANCES: '3', IMAGE_API_PORT: '65534' }), /too few ports/);
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
    for (const name of ['BLOB_URL', 'IMAGE_BLOB_URL']) {
      assert.throws(() => readSettings({ [name]: 'ftp://x' }, '/'), new RegExp(`^Error: ${name}=ftp:`));
      assert.throws(
        () => readSettings({ [name]: 's3://x' }, '/'),
        new RegExp(`^Error: ${name} names no bucket`),
      );
    }
    assert.throws(
      () => readSettings({ AMQP_URL: 'http://me:secret@x' }, '/'),
      /^Error: AMQP_URL is not a URL like amqp:(?!.*secret)/,
    );
    assert.throws(() => readSettings({ IMAGE_DATA: 'mine' }, '/'), /IMAGE_DATA=mine is not shared or own/);
  });

  it('takes a bucket for the store of the service’s own pictures; the shop’s stay in a folder', () => {
    const url = 's3://pictures/shop?region=eu-central-1';
    const given = readSettings({ BLOB_URL: url, DATA_DIR: '/data' }, '/');
    assert.deepEqual(
      [given.blobUrl, given.blobDir, given.ownBlobUrl, given.ownBlobs],
      ['file:///data/blobs', '/data/blobs', url, url],
    );
    assert.match(given.blobNote!, /with IMAGE_DATA=own, which is not set.*files in \/data\/blobs/);
    const owned = readSettings({ BLOB_URL: url, IMAGE_DATA: 'own', DATA_DIR: '/data' }, '/');
    assert.doesNotMatch(owned.blobNote!, /not set/);
    const both = readSettings({ BLOB_URL: 'file:/shop', IMAGE_BLOB_URL: url }, '/');
    assert.deepEqual([both.blobDir, both.ownBlobs, both.blobNote], ['/shop', url, null]);
    assert.throws(
      () => readSettings({ BLOB_URL: url, IMAGE_BLOB_URL: 'file:/pictures' }, '/'),
      /BLOB_URL and IMAGE_BLOB_URL name two stores/,
    );
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

  it('leaves a feature off that is off, and adds the flags of a newer version to those that are there', () => {
    const dir = mkdtempSync(join(tmpdir(), 'flags-'));
    const read = (path: string) =>
      JSON.parse(readFileSync(path, 'utf8')) as { flags: Record<string, { metadata: { stage: string } }> };
    try {
      const copy = join(dir, 'flags.json');
      const original = join(import.meta.dirname, '../../flags.json');
      copyFlags(original, copy);
      const { flags } = read(copy);
      assert.deepEqual(
        Object.entries(flags).map(([name, { metadata }]) => [name, metadata.stage]),
        [
          ['images', 'canary'],
          ['mail', 'off'],
        ],
      );
      const { mail, images } = flags;
      const older = { $schema: 'kept', flags: { images: { ...images!, metadata: { stage: 'live' } } } };
      writeFileSync(copy, JSON.stringify(older));
      copyFlags(original, copy);
      assert.deepEqual(read(copy), { ...older, flags: { ...older.flags, mail } });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
