import assert from 'node:assert/strict';
import { urlsOf, watchSrv, type SrvRecord } from './dns.ts';

const record = (name: string, port: number, priority = 1): SrvRecord => ({ name, port, priority });

describe('instances by DNS', () => {
  it('uses the best priority, each once, in an order that does not change', () => {
    const records = [
      record('b.test.', 2),
      record('a.test', 1),
      record('b.test', 2),
      record('spare.test', 3, 9),
    ];
    assert.deepEqual(urlsOf(records, 'http'), ['http://a.test:1', 'http://b.test:2']);
    assert.deepEqual(urlsOf([], 'https'), []);
  });

  it('tells of changes only, and keeps the last list when DNS fails or is empty', async () => {
    let answer: readonly SrvRecord[] | Error = [record('a', 1)];
    const told: (readonly string[])[] = [];
    const faults: string[] = [];
    const watch = watchSrv({
      name: '_x._tcp.test',
      scheme: 'http',
      interval: 1e6,
      onChange: (urls) => void told.push(urls),
      onFault: (error) => void faults.push(error.message),
      resolve: async () => {
        if (answer instanceof Error) throw answer;
        return await Promise.resolve(answer);
      },
    });
    await watch.refresh();
    await watch.refresh();
    assert.deepEqual(told, [['http://a:1']]);
    answer = new Error('SERVFAIL');
    await watch.refresh();
    answer = [];
    await watch.refresh();
    assert.deepEqual(faults, ['SERVFAIL', 'DNS knows no instance of _x._tcp.test']);
    answer = [record('b', 2), record('a', 1)];
    await watch.refresh();
    assert.deepEqual(told.at(-1), ['http://a:1', 'http://b:2']);
    watch.close();
  });
});
