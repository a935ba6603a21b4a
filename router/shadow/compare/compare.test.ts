import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Answer } from './answer.ts';
import { compare, type Comparison, type Verdict } from './compare.ts';
import { DEFAULT_HEADERS } from './headers.ts';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const RULES = { mode: 'json', headers: DEFAULT_HEADERS, maxDistance: 0.12, maxDecoded: 2 ** 20 } as const;

function answer(body: unknown, headers: Record<string, string> = {}, status = 200): Answer {
  const isText = typeof body === 'string';
  const type = { 'content-type': isText ? 'text/html; charset=utf-8' : 'application/json' };
  const bytes = body instanceof Uint8Array ? body : Buffer.from(isText ? body : JSON.stringify(body));
  return { status, headers: Object.entries({ ...type, ...headers }), body: bytes, isTooLong: false };
}

const judge = (primary: Answer, shadow: Answer, more: Partial<Comparison> = {}): Promise<Verdict> =>
  compare({ method: 'GET', primary, shadow, again: null, noise: [], rules: RULES, now: NOW, ...more });

const wheres = ({ differences }: Verdict): string[] =>
  differences.map(({ kind, where }) => `${kind} ${where}`);

describe('comparing answers', () => {
  it('finds the same JSON the same, whatever the order of names and the blanks', async () => {
    const one = answer(Buffer.from('{"a":1,"b":[1,{"x":null}],"c":1.0}'));
    const other = answer(Buffer.from('{ "c": 1, "b": [1, {"x": null}], "a": 1 }'));
    assert.equal((await judge(json(one), json(other))).result, 'match');
  });

  const json = (it: Answer): Answer => ({ ...it, headers: [['content-type', 'application/json']] });

  for (const [name, one, other, expected] of [
    ['a number', { a: { b: 1 } }, { a: { b: 2 } }, ['json $.a.b']],
    ['a type', { a: 1 }, { a: '1' }, ['json $.a']],
    ['a missing member', { a: 1, b: 2 }, { a: 1 }, ['json $.b']],
    ['a member more', { a: 1 }, { a: 1, 'b c': null }, ['json $["b c"]']],
    ['null and missing', { a: null }, {}, ['json $.a']],
    ['an element', [{ a: 1 }, { a: 2 }], [{ a: 1 }, { a: 3 }], ['json $[1].a']],
    ['a length', { l: [1, 2] }, { l: [1, 2, 3] }, ['json $.l.length']],
    ['an order', { l: [1, 2, 3] }, { l: [3, 1, 2] }, ['order $.l']],
    ['an order of objects', [{ a: 1, b: 2 }, { a: 2 }], [{ a: 2 }, { b: 2, a: 1 }], ['order $']],
    ['an array and an object', { l: [] }, { l: {} }, ['json $.l']],
    ['a name of Object.prototype', { toString: 1 }, {}, ['json $.toString']],
  ] as const)
    it(`tells ${name} apart`, async () => {
      const verdict = await judge(answer(one), answer(other));
      assert.equal(verdict.result, 'mismatch');
      assert.deepEqual(wheres(verdict), expected);
    });

  it('keeps the digits of whole numbers that a double has no room for', async () => {
    const one = json(answer(Buffer.from('{"id":12345678901234567890}')));
    const other = json(answer(Buffer.from('{"id":12345678901234567891}')));
    assert.deepEqual((await judge(one, other)).differences, [
      { kind: 'json', where: '$.id', primary: '12345678901234567890', shadow: '12345678901234567891' },
    ]);
  });

  it('compares JSON nested deeper than anybody nests', async () => {
    const deep = (end: string): Answer =>
      json(answer(Buffer.from('['.repeat(3000) + end + ']'.repeat(3000))));
    assert.equal((await judge(deep('1'), deep('1'))).result, 'match');
    assert.equal((await judge(deep('1'), deep('2'))).result, 'mismatch');
  });

  it('compares the status alone when the statuses differ, and asks nothing of a one-sided 304', async () => {
    assert.deepEqual(wheres(await judge(answer({}), answer({ error: 1 }, {}, 500))), ['status status']);
    assert.equal((await judge(answer({}, {}, 304), answer({}))).result, 'incomparable');
  });

  it('knows nothing of a range that one side alone answers', async () => {
    for (const status of [206, 416]) {
      assert.equal((await judge(answer({}), answer({}, {}, status))).result, 'incomparable');
      assert.equal((await judge(answer({}, {}, status), answer({}))).result, 'incomparable');
    }
    assert.equal((await judge(answer({}, {}, 206), answer({}, {}, 416))).result, 'mismatch');
  });

  it('compares the chosen headers, not their case and blanks, and of an ETag only that there is one', async () => {
    const one = answer({}, { 'cache-control': 'Public,max-age=3', etag: '"a"', 'x-own': '1' });
    assert.equal(
      (await judge(one, answer({}, { 'cache-control': 'max-age=3, public', etag: '"b"' }))).result,
      'match',
    );
    const other = answer({}, { 'cache-control': 'no-store', location: '/images/1' });
    assert.deepEqual(wheres(await judge(one, other)), [
      'header header location',
      'header header cache-control',
      'header header etag',
    ]);
  });

  it('takes JSON for UTF-8, said or not, and asks for no ETag of an error', async () => {
    const error = (headers: Record<string, string>): Answer => ({
      ...answer({ title: 'no' }, {}, 404),
      headers: Object.entries(headers),
    });
    const one = error({ 'content-type': 'application/problem+json; charset=utf-8', etag: 'W/"1"' });
    assert.equal((await judge(one, error({ 'content-type': 'application/problem+json' }))).result, 'match');
    assert.equal((await judge(one, error({ 'content-type': 'application/json' }))).result, 'mismatch');
  });

  it('looks through content codings, which each side chooses', async () => {
    const text = JSON.stringify({ a: 1 });
    const one = { ...json(answer(gzipSync(text))) };
    const coded = (it: Answer, coding: string): Answer => ({
      ...it,
      headers: [...it.headers, ['content-encoding', coding]],
    });
    const other = json(answer(brotliCompressSync(text)));
    assert.equal((await judge(coded(one, 'gzip'), coded(other, 'br'))).result, 'match');
    assert.equal((await judge(coded(one, 'gzip'), coded(other, 'gzip'))).result, 'incomparable');
    const bomb = coded(json(answer(gzipSync(Buffer.alloc(2 ** 21)))), 'gzip');
    assert.equal((await judge(bomb, bomb)).result, 'incomparable');
  });

  it('says incomparable when a body was too long, and mismatch when the status already differs', async () => {
    const long = { ...answer({}), isTooLong: true };
    assert.equal((await judge(long, answer({}))).result, 'incomparable');
    assert.equal((await judge(answer({}, {}, 404), long)).result, 'mismatch');
  });

  it('takes what the primary differs from itself in for noise, there and on every element', async () => {
    const made = (name: string): Answer =>
      answer({ id: 1, run: randomUUID(), items: [{ name, at: Math.random() }] }, { 'x-run': randomUUID() });
    const rules = { ...RULES, headers: 'all' } as const;
    const first = await judge(made('a'), made('a'), { again: made('a'), rules });
    assert.equal(first.result, 'match');
    assert.deepEqual(first.noise.toSorted(), ['$.items[*].at', '$.run', 'header x-run']);
    const second = await judge(made('a'), made('b'), { noise: first.noise, rules });
    assert.deepEqual(wheres(second), ['json $.items[0].name']);
  });

  it('finds elements in another order when that order is noise, and what differs among them', async () => {
    const noise = ['order $.l'];
    const one = answer({ l: [{ id: 1 }, { id: 2 }, { id: 3 }] });
    assert.equal(
      (await judge(one, answer({ l: [{ id: 3 }, { id: 1 }, { id: 2 }] }), { noise })).result,
      'match',
    );
    const other = await judge(one, answer({ l: [{ id: 3 }, { id: 9 }, { id: 2 }] }), { noise });
    assert.deepEqual(wheres(other), ['json $.l[0].id']);
  });

  it('says ignored when nothing but noise is left', async () => {
    const rules = { ...RULES, mode: 'bytes' } as const;
    const made = (): Answer =>
      answer(Buffer.from(randomUUID()), { 'content-type': 'application/octet-stream' });
    assert.equal((await judge(made(), made(), { again: made(), rules })).result, 'ignored');
  });

  it('finds an id in a page to be noise, on pages that it has not seen, and a word that differs not', async () => {
    const page = (title: string, word = 'cart'): Answer =>
      answer(
        `<html><h1>${title}</h1><input name="csrf" value="${randomUUID()}"><a>Your ${word} is empty</a></html>`,
      );
    const first = await judge(page('Mug'), page('Mug'), { again: page('Mug') });
    assert.equal(first.result, 'match');
    const { noise } = first;
    assert.equal((await judge(page('A blue chair'), page('A blue chair'), { noise })).result, 'match');
    const other = await judge(page('Lamp'), page('Lamp', 'basket'), { noise });
    assert.deepEqual(
      other.differences.map(({ primary, shadow }) => [primary, shadow]),
      [['cart', 'basket']],
    );
  });

  it('compares texts that are one of them longer, or wholly different, in time', async () => {
    const words = (from: number): string =>
      Array.from({ length: 50_000 }, (_, at) => `w${at + from}`).join(' ');
    assert.deepEqual((await judge(answer('a b c d e'), answer('a b x y c d e'))).differences, [
      { kind: 'text', where: 'a b * c d', shadow: 'x y' },
    ]);
    assert.equal((await judge(answer(words(0)), answer(words(1_000_000)))).result, 'mismatch');
  });

  it('takes two readings of the clock for the same, and two stored dates for different', async () => {
    const at = (date: string): Answer => answer({ at: date }, { date });
    const rules = { ...RULES, headers: 'all' } as const;
    const now = new Date(NOW).toISOString();
    const late = new Date(NOW + 2000).toISOString();
    assert.equal((await judge(at(now), at(late), { rules })).result, 'match');
    assert.equal(
      (await judge(at('2020-01-01T00:00:00Z'), at('2020-01-01T00:00:01Z'), { rules })).result,
      'mismatch',
    );
  });

  it('looks at a body that says nothing of its type', async () => {
    const bare = (body: unknown): Answer => ({ ...answer(body), headers: [] });
    assert.deepEqual(wheres(await judge(bare({ a: 1 }), bare({ a: 2 }))), ['json $.a']);
    assert.deepEqual(wheres(await judge(bare('one two three'), bare('one 2 three'))), ['text one * three']);
    const binary = (end: number): Answer => bare(new Uint8Array([0xff, 0xfe, end]));
    assert.deepEqual(wheres(await judge(binary(1), binary(2))), ['bytes body']);
  });

  it('compares no more than the status when told so', async () => {
    const rules = { ...RULES, mode: 'status' } as const;
    assert.equal((await judge(answer({ a: 1 }), answer({ a: 2 }), { rules })).result, 'match');
  });
});
