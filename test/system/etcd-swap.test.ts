import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Problem } from '../../router/errors.ts';
import { createEtcd, type Etcd as Client } from '../../router/etcd/client.ts';
import { openEtcdSource, type EtcdSource } from '../../router/flags/etcd-source.ts';
import type { Entry } from '../../router/journal/journal.ts';
import { startEtcd, type Etcd } from '../support/etcd.ts';
import { until } from '../support/until.ts';

const VIEW = { stage: 'canary', percent: 1, state: 'ENABLED', ramp: 'none' };
const entry = (id: string): Entry => ({
  id,
  at: new Date(0).toISOString(),
  feature: 'images',
  action: 'shift',
  who: 'ana',
  why: 'a test',
  before: VIEW,
  after: VIEW,
  fingerprint: id,
  ungated: true,
  numbers: null,
});

describe('a change in etcd whose answer is lost', function () {
  this.timeout(60_000);
  let cluster: Etcd;
  let direct: Client;
  let between: Server;
  let source: EtcdSource;
  let dir: string;
  /** What happens to a transaction that writes: it is passed on, or its answer is lost. */
  let fate: 'pass' | 'lose' = 'pass';
  /** One that would make the flags this does not even arrive. */
  let dropped: string | null = null;
  before(async () => {
    cluster = await startEtcd(1);
    direct = createEtcd({ urls: cluster.urls });
    dir = mkdtempSync(join(tmpdir(), 'swap-'));
    between = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const isWriting = request.url === '/v3/kv/txn' && body.includes('request_put');
      if (isWriting && dropped !== null && body.includes(`"value":"${btoa(dropped)}"`)) return;
      const answer = await fetch(cluster.urls[0]! + request.url, { method: 'POST', body });
      if (isWriting && fate === 'lose') return void (await answer.arrayBuffer());
      response.writeHead(answer.status);
      for await (const chunk of answer.body!) response.write(chunk);
      response.end();
    });
    between.listen(0, '127.0.0.1');
    await once(between, 'listening');
    const urls = [`http://127.0.0.1:${(between.address() as AddressInfo).port}`];
    source = await openEtcdSource({
      urls,
      prefix: 'strangler/',
      stateDir: dir,
      seed: () => 'zero',
      now: Date.now,
    });
  });
  after(async () => {
    source.close();
    between.close();
    between.closeAllConnections();
    direct.close();
    await cluster.stop();
    rmSync(dir, { recursive: true });
  });
  const swap = (before: string, after: string): Promise<boolean> =>
    source.swap({ before, after, entry: entry(after) }, source.journal);
  const ids = (): string[] => source.journal.entries().map(({ id }) => id);
  const stored = async (): Promise<string | undefined> =>
    (await direct.range('strangler/flags')).keys[0]?.value;

  it('is found out to have been made, by its entry', async () => {
    fate = 'lose';
    setTimeout(() => (fate = 'pass'), 600);
    assert.equal(await swap('zero', 'one'), true);
    assert.deepEqual([await stored(), ids()], ['one', ['one']]);
  });

  it('loses against a change that came first, and leaves no entry', async () => {
    await direct.put('strangler/flags', 'by hand');
    assert.equal(await swap('one', 'two'), false);
    await until(() => source.newest().text === 'by hand', 'the watch to tell');
    assert.deepEqual(ids(), ['one']);
  });

  it('is said not to be known while nobody can be asked, and is in the journal afterwards', async () => {
    fate = 'lose';
    await assert.rejects(swap('by hand', 'three'), ({ code, message }: Problem) => {
      assert.equal(code, 'FLAGS_AWAY');
      assert.match(message, /not known: if so, it is in the journal as three/);
      return true;
    });
    fate = 'pass';
    await until(() => source.newest().text === 'three', 'the watch to tell');
    assert.deepEqual(ids(), ['one', 'three']);
  });

  it('can not be made later once it was said that it was not made', async () => {
    // The attempts go nowhere; the question what became of them is answered.
    dropped = 'four';
    const { revision } = source.newest();
    await assert.rejects(swap('three', 'four'), /the change was not made/);
    assert.equal(await stored(), 'three');
    const late = await direct.txn(
      [{ key: 'strangler/flags', modified: revision }],
      [{ put: 'strangler/flags', value: 'four' }],
    );
    assert.equal(late.succeeded, false);
    assert.equal(await swap('three', 'five'), true);
    assert.deepEqual(ids(), ['one', 'three', 'five']);
  });
});
