import assert from 'node:assert/strict';
import { cookieValue } from './cookie.ts';
import { claimOf, keyOf } from './key.ts';
import { readOverride, signOverride } from './override.ts';

const token = (claims: object): string =>
  `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
const headers = (values: Record<string, string>) => ({ header: (name: string) => values[name] });

describe('keys', () => {
  const sources = [{ header: 'x-user-id' }, { cookie: 'sid', claim: 'sub' }, { issue: 'strangler_id' }];

  it('takes the first source that is present', () => {
    assert.equal(
      keyOf(sources, headers({ 'x-user-id': 'ana', cookie: `sid=${token({ sub: '7' })}` })),
      'ana',
    );
    assert.equal(keyOf(sources, headers({ cookie: `strangler_id=abc; sid=${token({ sub: '7' })}` })), '7');
    assert.equal(keyOf(sources, headers({ cookie: 'sid=nonsense; strangler_id=abc' })), 'abc');
    assert.equal(keyOf(sources, headers({ 'x-user-id': '', cookie: 'x=1' })), null);
  });

  it('reads claims of tokens only', () => {
    assert.equal(claimOf(token({ sub: 7 }), 'sub'), '7');
    assert.equal(claimOf(token({ sub: { a: 1 } }), 'sub'), undefined);
    assert.equal(claimOf(token({}), 'constructor'), undefined);
    for (const bad of ['', '.', '..', 'a.b', 'a.!!.c', `a.${Buffer.from('null').toString('base64url')}.c`])
      assert.equal(claimOf(bad, 'sub'), undefined);
  });

  it('reads a cookie by its whole name', () => {
    assert.equal(cookieValue('xsid=1; sid=2', 'sid'), '2');
    assert.equal(cookieValue('sid="a b"; x=1', 'sid'), 'a b');
    assert.equal(cookieValue('a=sid=9; sid=2', 'sid'), '2');
    assert.equal(cookieValue('a=1', 'sid'), undefined);
    assert.equal(cookieValue(undefined, 'sid'), undefined);
  });
});

describe('signed overrides', () => {
  const override = { feature: 'images', upstream: 'image-api', expires: 2000 };
  const signed = signOverride(override, 'key');

  it('hold for their bearer until they expire', () => {
    assert.deepEqual(readOverride(signed, 'key', 1_999_999), override);
    assert.equal(readOverride(signed, 'key', 2_000_000), null);
  });

  it('are refused when anything about them was changed', () => {
    const forged = signOverride({ ...override, expires: 9000 }, 'other key');
    for (const token of [
      forged,
      `x${signed}`,
      signed.slice(0, -1),
      `${forged.split('.')[0]}.${signed.split('.')[1]}`,
      '',
      '.',
      'a.b',
    ])
      assert.equal(readOverride(token, 'key', 0), null);
  });
});
