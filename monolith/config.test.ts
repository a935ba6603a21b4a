import assert from 'node:assert/strict';
import { readConfig } from './config.ts';

describe('config', () => {
  const DATABASE_URL = 'postgres:///shop';

  it('needs the database only', () => {
    const config = readConfig({ DATABASE_URL, DATA_DIR: '/srv/shop', HOST: '' });
    assert.equal(config.host, '127.0.0.1');
    assert.equal(config.port, 3000);
    assert.equal(config.blobDir, '/srv/shop/blobs');
    assert.equal(config.smtpUrl, 'smtp://127.0.0.1:2525');
  });

  it('takes a blob folder as a file URL', () => {
    for (const [url, folder] of [
      ['file:/a/b', '/a/b'],
      ['file:///a/b%20c', '/a/b c'],
      ['file:/a//b', '/a/b'],
    ])
      assert.equal(readConfig({ DATABASE_URL, BLOB_URL: url }).blobDir, folder, url);
  });

  it('takes what the registry finds in the place of a URL', () => {
    const env = {
      ETCD_URLS: 'http://a:2379, http://b:2379',
      SMTP_URL: 'etcd:smtp',
      PICTURES_URL: 'etcd:image-api',
    };
    const { smtpUrl, picturesUrl, registry } = readConfig({ DATABASE_URL, ...env });
    assert.deepEqual([smtpUrl, picturesUrl], ['etcd:smtp', 'etcd:image-api']);
    assert.deepEqual(registry.etcdUrls, ['http://a:2379', 'http://b:2379']);
  });

  const wrong: Record<string, Record<string, string>> = {
    DATABASE_URL: { DATABASE_URL: '' },
    MONOLITH_PORT: { MONOLITH_PORT: '80a' },
    'MONOLITH_PORT=65536': { MONOLITH_PORT: '65536' },
    BLOB_URL: { BLOB_URL: 's3://bucket' },
    'BLOB_URL=file://host/a': { BLOB_URL: 'file://host/a' },
    'BLOB_URL=file:/a%zz': { BLOB_URL: 'file:/a%zz' },
    SMTP_URL: { SMTP_URL: 'mail.example' },
    LOG_LEVEL: { LOG_LEVEL: 'loud' },
    MONOLITH_POOL_SIZE: { MONOLITH_POOL_SIZE: '0' },
    MONOLITH_DRAIN_MS: { MONOLITH_DRAIN_MS: '-1' },
    ETCD_URLS: { ETCD_URLS: '127.0.0.1:2379' },
    'ETCD_URLS to where etcd is': { PICTURES_URL: 'etcd:image-api' },
    'SMTP_URL=etcd:': { SMTP_URL: 'etcd:', ETCD_URLS: 'http://127.0.0.1:2379' },
  };
  for (const [name, env] of Object.entries(wrong)) {
    it(`names ${name} when it is wrong`, () =>
      assert.throws(
        () => readConfig({ DATABASE_URL, ...env }),
        (error: Error) => error.message.includes(name),
      ));
  }

  it('keeps a password out of the message', () =>
    assert.throws(
      () => readConfig({ DATABASE_URL, SMTP_URL: 'mailto:me:secret@mail' }),
      (error: Error) => !error.message.includes('secret'),
    ));
});
