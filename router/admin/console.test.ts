import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import supertest from 'supertest';
import { startAdmin, type AdminBed } from './testbed.ts';

describe('the console’s files', () => {
  let bed: AdminBed;
  before(async () => (bed = await startAdmin()));
  after(() => bed.close());
  const get = (path: string): supertest.Test => supertest(bed.url).get(path).buffer(true);

  it('the page needs no token, holds no state, and lets nothing inline in but its own import map', async () => {
    const { text, headers } = await get('/').expect(200);
    assert.match(headers['content-type']!, /^text\/html/);
    const policy = new Map(
      headers['content-security-policy']!.split('; ').map((part) => [
        part.slice(0, part.indexOf(' ')),
        part.slice(part.indexOf(' ') + 1),
      ]),
    );
    assert.equal(policy.get('default-src'), "'none'");
    assert.equal(policy.get('frame-ancestors'), "'none'");
    assert.equal(policy.get('style-src'), "'self'");
    assert.doesNotMatch(headers['content-security-policy']!, /unsafe|\*|data:|https?:/);
    const inline = [...text.matchAll(/<script(?![^>]* src=)[^>]*>([^]*?)<\/script>/g)].map(
      ([, body]) => body!,
    );
    assert.deepEqual(
      policy.get('script-src'),
      [
        "'self'",
        ...inline.map((body) => `'sha256-${createHash('sha256').update(body).digest('base64')}'`),
      ].join(' '),
    );
    assert.doesNotMatch(text, /<style| style=| on\w+=/);
    assert.ok(!text.includes('images'), 'no feature is named in it');
  });

  it('everything the page and its modules name is there, with a type and a tag', async () => {
    const { text } = await get('/');
    const { imports } = JSON.parse(/<script type="importmap">([^]*?)<\/script>/.exec(text)![1]!) as {
      imports: Record<string, string>;
    };
    const named = new Set([
      ...[...text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path!),
      ...Object.values(imports),
    ]);
    for (const path of named) {
      const answer = await get(path).expect(200);
      assert.match(answer.headers['content-type']!, /^(text\/(javascript|css)|image\/svg\+xml)/, path);
      assert.match(answer.headers['etag']!, /^"[\w-]{22}"$/);
      await get(path).set('if-none-match', answer.headers['etag']!).expect(304);
      if (path.startsWith('/console/vendor/')) assert.match(answer.headers['cache-control']!, /immutable/);
      for (const [, specifier] of String(answer.text ?? '')
        .replace(/\/\*\*[^]*?\*\//g, '')
        .matchAll(/(?:from|import)\s*["']([^"'\s]+)["']/g)) {
        if (specifier!.startsWith('./')) named.add(new URL(specifier!, `http://x${path}`).pathname);
        else assert.ok(Object.hasOwn(imports, specifier!), `${path} imports ${specifier}`);
      }
    }
    assert.ok(named.size > 20, `${named.size} files`);
  });

  it('no path reaches the file system', async () => {
    for (const path of [
      '/console/console.html',
      '/console/tsconfig.json',
      '/console/../api.ts',
      '/console/%2e%2e/api.ts',
      '/console/..%2fapi.ts',
      '/console/vendor/../../../package.json',
      '/console/',
      '/console/vendor/preact.js',
    ])
      await get(path).expect(404);
    await supertest(bed.url).post('/').expect(404);
  });

  it('nothing in the browser files makes markup of text', () => {
    const folder = join(import.meta.dirname, 'console');
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.js'))) {
      const text = readFileSync(join(folder, file), 'utf8');
      assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b/i, file);
      assert.match(text, /^\/\/ @ts-check\n/, file);
    }
  });

  it('answers of the API can’t be shown as pages', async () => {
    const { headers } = await get('/livez').expect(200);
    assert.equal(headers['content-security-policy'], "default-src 'none'; frame-ancestors 'none'");
    assert.equal(headers['x-content-type-options'], 'nosniff');
  });
});
