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

  it('keeps renditions in the data folder, a gibibyte of them, unless told otherwise', () => {
    const preset = configFrom({ ...base, DATA_DIR: '/data' }).renditions;
    assert.deepEqual(preset, {
      cacheDir: '/data/image-cache',
      cacheBytes: 2 ** 30,
      cacheMemory: 2 ** 25,
      workTime: 20_000,
      perClient: 32,
      trustProxy: ['loopback'],
      sizes: null,
    });
    const told = configFrom({
      ...base,
      IMAGE_CACHE_DIR: '/var/cache/pictures',
      IMAGE_CACHE_BYTES: '0',
      IMAGE_API_TRUST_PROXY: 'loopback, 10.0.0.0/8,fd00::/8',
      IMAGE_API_SIZES: '320, 640',
    }).renditions;
    assert.deepEqual([told.cacheDir, told.cacheBytes], ['/var/cache/pictures', 0]);
    assert.deepEqual(
      [told.trustProxy, told.sizes],
      [
        ['loopback', '10.0.0.0/8', 'fd00::/8'],
        [320, 640],
      ],
    );
    assert.equal(configFrom({ ...base, IMAGE_API_TRUST_PROXY: 'none' }).renditions.trustProxy, null);
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
      ['IMAGE_CACHE_BYTES', '1GiB'],
      ['IMAGE_API_SIZES', '320,4097'],
      ['IMAGE_API_SIZES', '320,,640'],
      ['IMAGE_API_TRUST_PROXY', 'everybody'],
      ['IMAGE_API_TRUST_PROXY', '10.0.0.0/33'],
      ['BLOB_URL', 'ftp:bucket'],
      ['BLOB_URL', 'file://host/blobs'],
      ['BLOB_URL', 'file:/a%zz'],
    ] as const)
      assert.throws(
        () => configFrom({ ...base, [name]: value }),
        (error: Error) => error.message.startsWith(`${name}=${value}`),
        `${name}=${value}`,
      );
  });

  describe('of a bucket', () => {
    const own = { IMAGE_DATA: 'own', IMAGE_DATABASE_URL: 'postgres:///images', DATA_DIR: '/data' };

    it('reads it as a URL, with a local folder for what is on its way', () => {
      const url = 's3://pictures/shop/a/?endpoint=http://127.0.0.1:9000&region=eu-central-1&path-style=1';
      const { bucket, blobDir, s3 } = configFrom({ ...own, BLOB_URL: url, IMAGE_API_S3_TIMEOUT_MS: '7' });
      assert.deepEqual(bucket, {
        bucket: 'pictures',
        prefix: 'shop/a',
        region: 'eu-central-1',
        endpoint: 'http://127.0.0.1:9000',
        isPathStyle: true,
      });
      assert.deepEqual([blobDir, s3], ['/data/pictures', { connect: 2000, answer: 7 }]);
      const aws = configFrom({ ...own, BLOB_URL: 's3://pictures', AWS_REGION: 'eu-west-1' }).bucket;
      assert.deepEqual(aws, {
        bucket: 'pictures',
        prefix: '',
        region: 'eu-west-1',
        endpoint: null,
        isPathStyle: false,
      });
      assert.equal(configFrom({ ...base, ...own }).bucket, null);
    });

    it('says what is wrong, and repeats no password', () => {
      for (const [url, why] of [
        ['s3:bucket', /names no bucket/],
        ['s3://', /names no bucket/],
        ['s3://bucket:80', /names no bucket/],
        ['s3://bucket', /names no region/],
        ['s3://key:secret@bucket?region=x', /has credentials in it: set AWS_ACCESS_KEY_ID/],
        ['s3://bucket?region=x&endpoint=http://key:secret@store', /endpoint/],
        ['s3://bucket?endpoint=store:9000', /endpoint/],
        ['s3://bucket?region=x&path-style=yes', /path-style/],
        ['s3://bucket?region=x&secret=secret', /unknown or repeated parameter secret/],
        ['s3://bucket?region=x&region=y', /unknown or repeated parameter region/],
        ['s3://bucket/a//b?region=x', /prefix/],
        ['s3://bucket/a%20b?region=x', /prefix/],
      ] as const)
        assert.throws(
          () => configFrom({ ...own, BLOB_URL: url }),
          ({ message }: Error) =>
            message.startsWith('BLOB_URL ') && why.test(message) && !message.includes('secret@'),
          url,
        );
    });

    it('is for own data only, and says why', () => {
      assert.throws(
        () => configFrom({ ...base, BLOB_URL: 's3://pictures?region=x' }),
        /^Error: BLOB_URL=s3: needs IMAGE_DATA=own: .*file:\/srv\/blobs.*strangler move/,
      );
    });
  });
});
