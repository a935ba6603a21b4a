import assert from 'node:assert/strict';
import { configFrom, storesFrom } from './config.ts';

describe('the configuration of the email-api', () => {
  const base = { DATABASE_URL: 'postgres:///shop' };

  it('needs a database, and prefers its own', () => {
    assert.throws(() => configFrom({}), /EMAIL_DATABASE_URL/);
    assert.equal(
      configFrom({ ...base, EMAIL_DATABASE_URL: 'postgres:///mail' }).databaseUrl,
      'postgres:///mail',
    );
    assert.deepEqual(storesFrom({ ...base, AMQP_URL: '' }), {
      databaseUrl: 'postgres:///shop',
      amqpUrl: null,
    });
  });

  it('has presets for everything else, also where a variable is empty', () => {
    const config = configFrom({
      ...base,
      HOST: '',
      EMAIL_API_PORT: '',
      FLAGS_URL: '',
      DATA_DIR: '/data',
      SMTP_PORT: '2626',
    });
    assert.deepEqual(
      [config.host, config.port, config.flagsUrl, config.smtpUrl, config.appToken],
      ['127.0.0.1', 3002, null, 'smtp://127.0.0.1:2626', { file: '/data/app-token' }],
    );
    assert.deepEqual(configFrom({ ...base, STRANGLER_APP_TOKEN: 't' }).appToken, { text: 't' });
    assert.deepEqual(configFrom({ ...base, EMAIL_API_RETRY_SECONDS: '1, 60' }).retrySeconds, [1, 60]);
    assert.equal(
      configFrom({ ...base, FLAGS_URL: 'http://127.0.0.1:8081/' }).flagsUrl,
      'http://127.0.0.1:8081',
    );
  });

  it('names the variable that is wrong', () => {
    for (const [name, value] of [
      ['EMAIL_API_PORT', '65536'],
      ['EMAIL_API_CONCURRENCY', '0'],
      ['EMAIL_API_MAX_CRASHES', '20'],
      ['EMAIL_API_INBOX_DAYS', '-1'],
      ['EMAIL_API_RETRY_SECONDS', '1,x'],
      ['EMAIL_API_RETRY_SECONDS', '0'],
      ['LOG_LEVEL', 'loud'],
    ] as const)
      assert.throws(
        () => configFrom({ ...base, [name]: value }),
        (error: Error) => error.message.startsWith(`${name}=${value} is not`),
        `${name}=${value}`,
      );
  });

  it('finds the mail server by the registry, if there is one', () => {
    const found = { ...base, SMTP_URL: 'etcd:smtp' };
    assert.equal(configFrom({ ...found, ETCD_URLS: 'http://127.0.0.1:2379' }).smtpUrl, 'etcd:smtp');
    assert.throws(() => configFrom(found), /SMTP_URL=etcd:smtp asks the registry, so set ETCD_URLS/);
    assert.throws(() => configFrom({ ...base, SMTP_URL: 'etcd:a/b' }), /SMTP_URL=etcd:a\/b is not like/);
  });

  it('repeats no password', () => {
    for (const name of ['AMQP_URL', 'SMTP_URL', 'FLAGS_URL'])
      assert.throws(
        () => configFrom({ ...base, [name]: 'ftp://u:secret@host' }),
        (error: Error) =>
          error.message.startsWith(`${name} is not a URL like`) && !error.message.includes('u:secret'),
      );
  });
});
