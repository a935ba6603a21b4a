import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createMatcher } from './match.ts';
import { parseTemplate, type Template } from './template.ts';

const matcherOf = (...routes: string[]) =>
  createMatcher(routes.map((route) => ({ template: parseTemplate(route) as Template, target: route })));

describe('matching', () => {
  const matcher = matcherOf(
    'GET /images/{id}',
    'GET /images/new',
    'POST /images/search',
    'GET /images/{id}/meta',
    'GET /a/{x}/c',
    'GET /{y}/b/c',
    'GET /files/**',
    'GET /files/{name}',
    'GET /',
    'HEAD /only',
  );
  const cases: readonly (readonly [string, string, string | null])[] = [
    ['GET', '/images/7', 'GET /images/{id}'],
    ['HEAD', '/images/7', 'GET /images/{id}'],
    ['GET', '/images/new', 'GET /images/new'],
    // The literal has no GET, so the parameter is tried: a route for another method hides nothing.
    ['GET', '/images/search', 'GET /images/{id}'],
    ['POST', '/images/7', null],
    ['GET', '/images/7/meta', 'GET /images/{id}/meta'],
    ['GET', '/images/', null],
    ['GET', '/images', null],
    ['GET', '/images/7/', null],
    // Leftmost literal wins, and a branch that leads nowhere is left again.
    ['GET', '/a/b/c', 'GET /a/{x}/c'],
    ['GET', '/z/b/c', 'GET /{y}/b/c'],
    ['GET', '/a/b/d', null],
    ['GET', '/files/x', 'GET /files/{name}'],
    ['GET', '/files/x/y/z', 'GET /files/**'],
    ['GET', '/files', 'GET /files/**'],
    ['GET', '/', 'GET /'],
    ['GET', '/only', null],
    ['HEAD', '/only', 'HEAD /only'],
  ];
  for (const [method, path, expected] of cases)
    it(`${method} ${path} → ${expected}`, () => assert.equal(matcher.match(method, path), expected));

  it('tells whether any route has a path', () => {
    assert.equal(matcher.touches('/images/7'), true);
    assert.equal(matcher.touches('/other'), false);
  });

  it('agrees with trying every route in turn', () => {
    const segment = fc.constantFrom('a', 'b', '{x}');
    const route = fc
      .array(segment, { minLength: 1, maxLength: 4 })
      .map(
        (parts) => `GET /${parts.map((part, index) => (part === '{x}' ? `{x${index}}` : part)).join('/')}`,
      );
    const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.uniqueArray(route, { minLength: 1, maxLength: 8 }), path, (routes, parts) => {
        const fits = routes
          .map((text) => ({ text, segments: (parseTemplate(text) as Template).segments }))
          .filter(
            ({ segments }) =>
              segments.length === parts.length &&
              segments.every((each, index) => each === null || each === parts[index]),
          )
          // A literal further left beats one further right.
          .toSorted((one, other) => compare(one.segments, other.segments));
        assert.equal(matcherOf(...routes).match('GET', `/${parts.join('/')}`), fits[0]?.text ?? null);
      }),
    );
  });

  it('costs the depth of the path, however many routes there are', () => {
    /** How often the matcher looks for the end of a segment. */
    const steps = (among: typeof matcher, path: string): number => {
      let count = 0;
      const counted = {
        length: path.length,
        slice: (from: number, to: number) => path.slice(from, to),
        indexOf: (text: string, from: number) => (count++, path.indexOf(text, from)),
      };
      among.match('GET', counted as unknown as string);
      return count;
    };
    const one = matcherOf('GET /shop/{shop}/items/{item}');
    const more = Array.from({ length: 5000 }, (_, index) => [
      `GET /shop${index}/{shop}/items/{item}`,
      `GET /shop/{shop}/items${index}/{item}`,
      `POST /shop/{shop}/items/{item}/part${index}`,
      `GET /files${index}/**`,
    ]);
    const many = matcherOf('GET /shop/{shop}/items/{item}', ...more.flat());
    for (const path of ['/shop/1/items/7', '/shop/1/items', '/shop/1/none/7', '/none'])
      assert.equal(steps(many, path), steps(one, path), path);
    assert.equal(steps(many, '/shop4999/1/items/7'), 4);
    assert.equal(steps(many, '/shop/1/items/7/part4999'), 5);
  });
});

function compare(one: readonly (string | null)[], other: readonly (string | null)[]): number {
  const differing = one.findIndex((segment, index) => (segment === null) !== (other[index] === null));
  return differing === -1 ? 0 : one[differing] === null ? 1 : -1;
}
