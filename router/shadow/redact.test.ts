import assert from 'node:assert/strict';
import { redactDifference, redactTarget, redactText, secretsOf } from './redact.ts';

describe('what is not stored of a mismatch', () => {
  it('finds the values of cookies and credentials, whole and in parts, and only those', () => {
    const basic = Buffer.from('ana:hunter22').toString('base64');
    const secrets = secretsOf(
      [
        ['Cookie', 'sid="abc%20defg"; theme=light1'],
        ['Authorization', `Basic ${basic}`],
        ['Accept', 'text/html'],
      ],
      [
        ['set-cookie', 'fresh=newsecret; Path=/; HttpOnly'],
        ['content-type', 'text/html'],
      ],
    );
    for (const secret of ['abc%20defg', 'abc defg', 'light1', basic, 'ana:hunter22', 'hunter22', 'newsecret'])
      assert.ok(secrets.includes(secret), secret);
    assert.ok(!secrets.some((secret) => secret.includes('text/html') || secret === 'Path=/'));
    assert.equal(redactText('x newsecret y abc defg', secrets), 'x [redacted] y [redacted]');
  });

  it('keeps the names of a query and the values that are no secrets', () => {
    assert.equal(
      redactTarget('/a?w=3&code=1&api_key=abc&password=&Token=x%20y&flag', []),
      '/a?w=3&code=[redacted]&api_key=[redacted]&password=[redacted]&Token=[redacted]&flag',
    );
    assert.equal(redactTarget('/reset/topsecret', ['topsecret']), '/reset/[redacted]');
  });

  it('keeps a value unless it holds a secret or its place has the name of one', () => {
    const at = (where: string, primary: string | number) =>
      redactDifference({ kind: 'json', where, primary }, ['abcdef']).primary;
    assert.equal(at('$.price', 3), 3);
    assert.equal(at('$.note', 'see abcdef'), 'see [redacted]');
    assert.equal(at('$.user.password', 'x'), '[redacted]');
    assert.equal(at('$["access_token"]', 'x'), '[redacted]');
    assert.equal(at('$.monkey', 'x'), 'x');
    assert.equal(at('$.code', 'NOT_FOUND'), 'NOT_FOUND');
  });
});
