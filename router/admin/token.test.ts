import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adminToken, appToken } from './token.ts';

describe('the tokens of the admin port', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'token-'))));
  afterEach(() => rmSync(dir, { recursive: true }));

  it('are made at the first start, each its own, for the owner only, and stay', () => {
    const made = [adminToken(dir, {}), appToken(dir, {})];
    assert.notEqual(made[0], made[1]);
    for (const [index, name] of ['admin-token', 'app-token'].entries()) {
      assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600);
      assert.equal(readFileSync(join(dir, name), 'utf8'), `${made[index]}\n`);
      assert.ok(made[index]!.length >= 40);
    }
    assert.deepEqual([adminToken(dir, {}), appToken(dir, {})], made);
  });

  it('come from the environment where it has them', () => {
    const env = { STRANGLER_ADMIN_TOKEN: 'a', STRANGLER_APP_TOKEN: 'b' };
    assert.deepEqual([adminToken(dir, env), appToken(dir, env)], ['a', 'b']);
    assert.throws(() => statSync(join(dir, 'app-token')), /ENOENT/);
    writeFileSync(join(dir, 'app-token'), '\n');
    assert.match(
      appToken(dir, { STRANGLER_APP_TOKEN: '' }),
      /^[\w-]{40,}$/,
      'an empty file and variable are none',
    );
  });
});
