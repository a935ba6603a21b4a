import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Problem } from './problem.ts';
import { readWish, type Kind, type Wish } from './wish.ts';

const read = (query: string, stored: Kind = 'jpeg', accept = ''): Wish | null =>
  readWish(new URLSearchParams(query), stored, accept);

describe('wishes for a picture', () => {
  it('are none without parameters', () => {
    assert.equal(read(''), null);
    assert.equal(read('&'), null);
  });

  it('fill the box when both sides are named, and fit into it when one is', () => {
    assert.equal(read('w=1&h=4096')?.fit, 'cover');
    assert.equal(read('w=1')?.fit, 'inside');
    assert.equal(read('q=100')?.fit, 'inside');
    assert.equal(read('w=1&h=1&fit=contain')?.fit, 'contain');
  });

  it('keep the kind that is stored, apart from GIF', () => {
    for (const kind of ['jpeg', 'png', 'webp', 'avif'] as const) assert.equal(read('w=1', kind)?.kind, kind);
    assert.equal(read('w=1', 'gif')?.kind, 'png');
  });

  it('get WebP for auto when the client names it', () => {
    for (const [accept, kind] of [
      ['image/webp', 'webp'],
      ['text/html, Image/WebP;q=0.8, */*', 'webp'],
      ['image/avif,image/webp', 'webp'],
      ['image/webp;q=0', 'jpeg'],
      ['image/webp; q=0.000,*/*', 'jpeg'],
      ['image/webp;q=0.001', 'webp'],
      ['image/webp;q=0, image/webp', 'webp'],
      ['image/webpx', 'jpeg'],
      ['x-image/webp', 'jpeg'],
      ['*/*', 'jpeg'],
      ['', 'jpeg'],
    ] as const)
      assert.equal(read('format=auto', 'jpeg', accept)?.kind, kind, accept);
    assert.equal(read('format=auto', 'png')?.kind, 'png');
    assert.equal(read('format=auto', 'gif')?.kind, 'png');
    assert.equal(read('format=auto', 'avif')?.kind, 'jpeg');
  });

  it('are the same when they come to the same', () => {
    for (const [one, ...others] of [
      ['w=320&h=200', 'h=200&w=320', 'fit=cover&w=320&h=200', 'q=82&w=320&h=200', 'format=jpeg&w=320&h=200'],
      ['w=320', 'w=320&fit=cover', 'w=320&fit=contain&format=jpeg&q=82', 'format=auto&w=320'],
      ['format=png', 'format=png&q=7', 'fit=cover&format=png'],
    ])
      for (const other of others) assert.equal(read(other)?.mark, read(one!)?.mark, other);
    assert.notEqual(read('w=320&h=200')?.mark, read('w=200&h=320')?.mark);
    assert.notEqual(read('w=320&q=81')?.mark, read('w=320')?.mark);
  });

  it('are refused by the name of what is wrong', () => {
    for (const [query, name] of [
      ['w=1e2', 'w'],
      ['w=0x10', 'w'],
      ['w=01', 'w'],
      ['w=1&w=2', 'w'],
      ['W=1', 'W'],
      ['__proto__=1', '__proto__'],
      ['fit=constructor', 'fit'],
      ['format=gif', 'format'],
      ['q=٣', 'q'],
    ] as const)
      assert.throws(
        () => read(query),
        (error) => error instanceof Problem && error.status === 400 && error.message.startsWith(name),
        query,
      );
  });

  it('have one mark each', () => {
    const side = fc.option(fc.integer({ min: 1, max: 4096 }), { nil: undefined });
    const wish = fc.record({
      w: side,
      h: side,
      fit: fc.constantFrom(undefined, 'cover', 'contain', 'inside'),
      format: fc.constantFrom(undefined, 'jpeg', 'png', 'webp', 'avif'),
      q: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
    });
    const query = (each: object): string =>
      Object.entries(each)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name}=${String(value)}`)
        .join('&');
    fc.assert(
      fc.property(wish, wish, (one, other) => {
        const [a, b] = [read(query(one)), read(query(other))];
        if (!a || !b) return;
        const { mark, ...rest } = a;
        const { mark: otherMark, ...otherRest } = b;
        assert.equal(mark === otherMark, JSON.stringify(rest) === JSON.stringify(otherRest));
        assert.match(mark, /^[\w-]+$/);
      }),
    );
  });
});
