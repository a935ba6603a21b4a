import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../postgres.ts';
import { endStaleServers, serversIn } from './stale.ts';

describe('a Postgres that was left behind', function () {
  this.timeout(60_000);
  let dir: string;
  let data: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'stale-'));
    data = join(dir, 'data');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('is found by its folder and ended by a fast shutdown, and by force when that takes too long', async () => {
    for (const [isStopped, said] of [
      [false, ['SIGINT']],
      [true, ['SIGINT', 'SIGQUIT', 'SIGKILL']],
    ] as const) {
      const postgres = await startPostgres({ dir, durable: false, restart: false });
      assert.ok(serversIn(data).includes(postgres.pid()));
      // A stopped process takes no signal but SIGKILL.
      if (isStopped) for (const pid of serversIn(data)) process.kill(pid, 'SIGSTOP');
      const lines: string[] = [];
      await endStaleServers(data, { log: (line) => lines.push(line), deadline: isStopped ? 200 : 10_000 });
      assert.deepEqual(serversIn(data), []);
      assert.equal(existsSync(join(data, 'postmaster.pid')), false);
      assert.deepEqual(
        lines.map((line) => /SIG\w+/.exec(line)?.[0]),
        said,
      );
      await postgres.stop();
    }
  });

  it('is not mistaken for another process that has its number by now', async () => {
    await (await startPostgres({ dir, durable: false })).stop();
    // Ours, alive, and no Postgres.
    writeFileSync(join(data, 'postmaster.pid'), `${process.pid}\n/proc/self/fd/3\n1\n5432\n\n\n\nready   \n`);
    const postgres = await startPostgres({ dir, durable: false });
    assert.equal(Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]), postgres.pid());
    await postgres.stop();
  });
});
