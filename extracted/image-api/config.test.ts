import assert from 'node:assert/strict';
import { configFrom } from './config.ts';

describe('the configuration of the image-api', () => {
  const base = { DATABASE_URL: 'postgres:///shop' };

  it('needs a database, and prefers its own', () => {
    assert.throws(() => configFrom({}), /IMAGE_DATABASE_URL/);
    assert.equal(configFrom(base).databaseUrl, 'postgres:///shop');
    assert.equal(
      configFrom({ ...base, IMAGE_DATABASE_URL: 'postgres:///images' }).databaseUrl,
      'postgres:///images',
    );
  });

  it('has presets for everything else, also where a variable is empty', () => {
    const config = configFrom({ ...base, HOST: '', IMAGE_API_PORT: '', SHOP_URL: '', DATA_DIR: '/data' });
    assert.deepEqual(
      [config.host, config.port, config.shopUrl, config.blobDir],
      ['127.0.0.1', 3001, 'http://127.0.0.1:3000', '/data/blobs'],
    );
    assert.equal(configFrom({ ...base, MONOLITH_PORT: '4000' }).shopUrl, 'http://127.0.0.1:4000');
  });

  it('keeps own data apart from the shop’s: its own database, and another folder', () => {
    const own = { IMAGE_DATA: 'own', IMAGE_DATABASE_URL: 'postgres:///images', DATA_DIR: '/data' };
    const { data, databaseUrl, blobDir, mirroredSql } = configFrom({ ...base, ...own });
    assert.deepEqual(
      [data, databaseUrl, blobDir, mirroredSql],
      ['own', 'postgres:///images', '/data/pictures', null],
    );
    assert.equal(configFrom({ ...own, IMAGE_MIRRORED_SQL: 'SELECT $1' }).mirroredSql, 'SELECT $1');
    assert.equal(configFrom(base).data, 'shared');
    // The shop's database is not taken for want of another.
    assert.throws(() => configFrom({ ...base, IMAGE_DATA: 'own' }), /^Error: set IMAGE_DATABASE_URL/);
  });

  it('reads the folder as a URL', () => {
    for (const [url, folder] of [
      ['file:/srv/blobs', '/srv/blobs'],
      ['file:///srv/a%20b', '/srv/a b'],
    ] as const)
      assert.equal(configFrom({ ...base, BLOB_URL: url }).blobDir, folder);
    assert.equal(configFrom({ ...base, DATA_DIR: '/a b%' }).blobDir, '/a b%/blobs');
  });

  it('names the variable that is wrong', () => {
    for (const [name, value] of [
      ['IMAGE_API_PORT', '65536'],
      ['IMAGE_API_PORT', '1e3'],
      ['IMAGE_API_IN_WORK', '0'],
      ['IMAGE_API_PATIENCE_MS', '-1'],
      ['SHOP_URL', 'shop:3000'],
      ['IMAGE_DATA', 'moving'],
      ['LOG_LEVEL', 'loud'],
      ['BLOB_URL', 's3:bucket'],
      ['BLOB_URL', 'file://host/blobs'],
      ['BLOB_URL', 'file:/a%zz'],
    ] as const)
      assert.throws(
        () => configFrom({ ...base, [name]: value }),
        (error: Error) => error.message.startsWith(`${name}=${value}`),
        `${name}=${value}`,
      );
  });
});
