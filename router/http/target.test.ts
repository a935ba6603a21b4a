import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonicalTarget } from './target.ts';
import { runs } from '../../test/support/fuzz.ts';

describe('one path', () => {
  const cases: readonly (readonly [string, string | null])[] = [
    ['/images/7', '/images/7'],
    ['/images/7?w=1&x=../%2f', '/images/7'],
    ['http://evil.test/images/1', '/images/1'],
    ['https://a.test', '/'],
    ['/images/../admin', '/admin'],
    ['/a/./b/../../c/..', '/'],
    ['/../../x', '/x'],
    ['/%69mages/%7e/%C3%a9', '/images/~/%C3%A9'],
    ['/%2e%2e/x', '/x'],
    ['/a%20b', '/a%20b'],
    ['*', '*'],
    ['', null],
    ['images', null],
    ['/a b', null],
    ['/a#b', null],
    ['/a\u0000', null],
    ['http:///x', null],
    ['ftp://x/y', null],
  ];
  for (const [target, path] of cases)
    it(`${JSON.stringify(target)} → ${path}`, () =>
      assert.equal(canonicalTarget(target, target === '*' ? 'OPTIONS' : 'GET')?.path ?? null, path));

  const ambiguous: readonly (readonly [string, string])[] = [
    ['/images%2f1', '/images/1'],
    ['/x/..%2fimages/1', '/images/1'],
    ['/x/..;/images/1', '/images/1'],
    ['/images/1;v=2', '/images/1'],
    ['/images\\1', '/images/1'],
    ['/x%5c..%5cimages/1', '/images/1'],
    ['/images/1%00.jpg', '/images/1'],
    ['//images/1', '/images/1'],
    ['/x/%2e%2e%2fimages/1', '/images/1'],
  ];
  for (const [target, reading] of ambiguous) {
    it(`${target} may be read as ${reading}, and stays as it is`, () => {
      const found = canonicalTarget(target);
      assert.equal(found?.path, target);
      assert.ok(found?.readings?.includes(reading), found?.readings?.join(' '));
    });
  }

  it('takes an escaped percent sign for plain: who decodes once sees no slash', () =>
    assert.equal(canonicalTarget('/images%252f1')?.readings, null));

  it('is a fixed point: the canonical form of a canonical path is itself', () => {
    const piece = fc.constantFrom('images', '.', '..', '%69', '%2E', '%20', '%C3%a9', 'a', '', 'x.y', '~');
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
        const once = canonicalTarget(`/${pieces.join('/')}`);
        if (once && once.readings === null) assert.deepEqual(canonicalTarget(once.path), once);
      }),
      { numRuns: runs(2000) },
    );
  });
});
