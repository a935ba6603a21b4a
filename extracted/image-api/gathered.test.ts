import assert from 'node:assert/strict';
import { gather } from './gathered.ts';

describe('rows that are looked up together', () => {
  const asked: (readonly string[])[] = [];
  let turns: PromiseWithResolvers<void>[];
  beforeEach(() => {
    asked.length = 0;
    turns = [];
  });
  const ask = async (ids: readonly string[]): Promise<Map<string, string>> => {
    asked.push(ids);
    const turn = Promise.withResolvers<void>();
    turns.push(turn);
    await turn.promise;
    return new Map(ids.filter((id) => id !== 'none').map((id) => [id, `row ${id}`]));
  };
  const tick = (): Promise<void> => new Promise(setImmediate);

  it('are asked for with the next query while one is under way', async () => {
    const find = gather(ask);
    const first = find('1');
    await tick();
    // Equal ids too: what is under way began before.
    const next = ['1', '2', 'none', '2'].map(find);
    await tick();
    assert.deepEqual(asked, [['1']]);
    turns[0]!.resolve();
    assert.equal(await first, 'row 1');
    await tick();
    assert.deepEqual(asked, [['1'], ['1', '2', 'none']]);
    turns[1]!.resolve();
    assert.deepEqual(await Promise.all(next), ['row 1', 'row 2', undefined, 'row 2']);
  });

  it('are asked for by so many in a query', async () => {
    const find = gather(ask, 2);
    const all = ['1', '2', '3'].map(find);
    await tick();
    turns[0]!.resolve();
    await tick();
    turns[1]!.resolve();
    assert.deepEqual(await Promise.all(all), ['row 1', 'row 2', 'row 3']);
    assert.deepEqual(asked, [['1', '2'], ['3']]);
  });

  it('fail for those who were in the query, and not for the next', async () => {
    const find = gather(ask);
    const first = find('1');
    await tick();
    const second = find('2');
    turns[0]!.reject(new Error('no database'));
    await assert.rejects(first, /no database/);
    await tick();
    turns[1]!.resolve();
    assert.equal(await second, 'row 2');
  });
});
