import assert from 'node:assert/strict';
import { createClients } from './clients.ts';
import { fileOriginal } from './original.ts';
import { Problem } from './problem.ts';
import type { Render } from './render.ts';
import type { RenditionCache } from './rendition-cache.ts';
import { createRenditions } from './renditions.ts';
import { readWish, type Wish } from './wish.ts';

const wish = (query: string): Wish => readWish(new URLSearchParams(query), 'jpeg', '')!;

describe('renditions that several clients ask for', () => {
  it('are refused to the one who has too many, not to those who asked after him', async () => {
    const room = Promise.withResolvers<void>();
    const look = Promise.withResolvers<null>();
    const render: Render = async () => {
      await room.promise;
      return Buffer.from('made');
    };
    const cache = {
      read: () => look.promise,
      keep: async () => undefined,
      touch: () => undefined,
    } as unknown as RenditionCache;
    const renditions = createRenditions({ render, cache, memory: 0, admit: createClients(1) });
    const ask = (query: string, client: string) =>
      renditions.of({ id: '1', sha256: 'ab' }, wish(query), () => fileOriginal('/nowhere'), { client });

    const first = ask('w=1', 'greedy');
    // While the disk is asked for it, the others join.
    const [greedy, ...others] = ['greedy', 'one', 'another'].map((client) => ask('w=2', client));
    look.resolve(null);
    await assert.rejects(greedy!, (error) => error instanceof Problem && error.status === 429);
    room.resolve();
    for (const answer of [first, ...others]) assert.equal((await answer).bytes.toString(), 'made');
  });

  it('do not fail with another picture of equal bytes whose file goes', async () => {
    const deleted = Promise.withResolvers<void>();
    const render: Render = async ({ path }) => {
      await deleted.promise;
      if (path === '/deleted') throw new Error('Input file is missing');
      return Buffer.from('made');
    };
    const renditions = createRenditions({ render, memory: 0 });
    const ask = (id: string, path: string) =>
      renditions.of({ id, sha256: 'ab' }, wish('w=1'), () => fileOriginal(path));
    const [one, other] = [ask('1', '/deleted'), ask('2', '/kept')];
    deleted.resolve();
    await assert.rejects(one, /missing/);
    assert.equal((await other).bytes.toString(), 'made');
  });
});
