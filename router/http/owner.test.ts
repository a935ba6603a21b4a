import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonicalTarget } from './target.ts';
import { runs } from '../../test/support/fuzz.ts';

/** Servers as they are: what each of them makes of the path that it receives. */
const dots = (path: string): string => {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const segment of segments) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
  }
  if (/^\.{1,2}$/.test(segments.at(-1) ?? '')) kept.push('');
  return `/${kept.join('/')}`;
};
const decode = (path: string): string =>
  path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
const merge = (path: string): string => path.replace(/\/{2,}/g, '/');
const SERVERS: Readonly<Record<string, (path: string) => string>> = {
  literal: (path) => path,
  'resolves dots': dots,
  'decodes, resolves dots, merges slashes': (path) => merge(dots(merge(decode(path)))),
  'decodes before it splits': (path) => dots(decode(path)),
  'takes a backslash for a slash': (path) => dots(decode(path).replaceAll('\\', '/')),
  'strips parameters, then decodes': (path) => dots(decode(path.replace(/;[^/]*/g, ''))),
  'strips parameters, decodes and merges slashes': (path) =>
    dots(merge(decode(path.replace(/;[^/]*/g, '')).replaceAll('\\', '/'))),
  'ends at NUL': (path) => dots(decode(path).replace(/\0.*$/, '')),
  'resolves dots, then decodes': (path) => decode(dots(path)),
};

const isFeature = (path: string): boolean => /^\/images\/[^/]+(?:\/meta)?$/.test(path);

describe('the owner of a path', () => {
  const piece = fc.constantFrom(
    'images',
    'images',
    'images',
    '7',
    '7',
    '7',
    'meta',
    '%69mages',
    'im%61ges',
    '7',
    'meta',
    'admin',
    '..',
    '.',
    '%2e%2e',
    '.%2E',
    '..;',
    '.;x',
    ';v=1',
    '7;v=1',
    '%2f',
    '%2F',
    '%5c',
    '\\',
    '%00',
    '%zz',
    '%',
    '%u002f',
    '%252f',
    'a%20b',
    '',
    'x|y',
    '~',
    '%7e',
    '%3b',
    '%25',
  );
  const separator = fc.constantFrom(
    '/',
    '/',
    '/',
    '/',
    '/',
    '/',
    '/',
    '/',
    '//',
    '%2f',
    '\\',
    '%5C',
    '/./',
    '/x/../',
    '/..;/',
    '',
  );
  const target = fc
    .array(fc.tuple(separator, piece), { minLength: 1, maxLength: 6 })
    .map((parts) => `/${parts.map(([slash, text], index) => (index === 0 ? text : slash + text)).join('')}`);

  it('that was decided on is the owner of the bytes that are forwarded, whoever reads them', () => {
    let matched = 0;
    let refused = 0;
    fc.assert(
      fc.property(target, (text) => {
        const canonical = canonicalTarget(text);
        if (canonical === null) return;
        const { path, readings } = canonical;
        if (readings?.some(isFeature)) return void refused++;
        const decided = readings === null && isFeature(path);
        if (decided) matched++;
        if (readings !== null) assert.equal(path, text, 'an ambiguous path stays as it is');
        for (const [server, read] of Object.entries(SERVERS)) {
          assert.equal(
            isFeature(read(path)),
            decided,
            `${text} is forwarded as ${path}, which a server that ${server} reads as ${JSON.stringify(read(path))}`,
          );
        }
      }),
      { numRuns: runs(10_000) },
    );
    assert.ok(
      matched > 30 && refused > 100,
      `${matched} belonged to the feature, ${refused} were refused: the test sees nothing`,
    );
  });
});
