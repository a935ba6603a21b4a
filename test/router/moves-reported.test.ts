import assert from 'node:assert/strict';
import type { JournalJson, MoveJson } from '../../router/admin/protocol.ts';
import type { MoveEntry } from '../../router/journal/journal.ts';
import { pidsOf } from '../../tools/processes.ts';
import { movingYaml } from '../support/moving.ts';
import { CANARY, startRouter, type RouterProcess } from '../support/router.ts';
import { until } from '../support/until.ts';

const REPORT = {
  sides: { from: 'monolith', to: 'image-api' },
  phase: 'soak',
  percent: 100,
  buckets: { all: 1024, atOld: 0, atNew: 1024, moving: 0 },
  rows: { all: 10, known: 10 },
  waiting: {},
  parked: [],
  verifiedAgo: 1000,
  corrupt: null,
  rowsPerSecond: 0,
  secondsLeft: null,
};

describe('a router with workers that a move is reported to', () => {
  let router: RouterProcess;
  before(async () => {
    router = await startRouter({
      yaml: movingYaml('http://127.0.0.1:1', 'http://127.0.0.1:2', 'workers: 2\n'),
      flags: CANARY(0),
    });
  });
  after(() => router.stop());

  /** 0: nobody answered. */
  const report = async (): Promise<number> =>
    router.admin('/api/moves/images', { method: 'PUT', body: JSON.stringify(REPORT) }).then(
      ({ status }) => status,
      () => 0,
    );
  const entries = async (): Promise<string[]> =>
    ((await router.admin('/api/journal?move=images')).body as unknown as JournalJson<MoveEntry>).entries.map(
      ({ action }) => action,
    );

  it('has it in its control process, and again a report after that was killed', async () => {
    assert.equal(await report(), 200);
    const { body } = await router.admin('/api/moves');
    assert.deepEqual(
      (body['moves'] as MoveJson[]).map(({ name, phase }) => [name, phase]),
      [['images', 'soak']],
    );
    const [control] = pidsOf(router.child.pid!, 'workers/control.ts');
    process.kill(control!, 'SIGKILL');
    await until(async () => (await report()) === 200, 'the next control process');
    assert.equal(((await router.admin('/api/moves/images')).body as unknown as MoveJson).percent, 100);
    assert.deepEqual(await entries(), ['found'], 'nothing happened to the move');
  });
});
