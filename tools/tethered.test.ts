import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '../test/support/until.ts';
import { spawnTethered } from './tethered.ts';

const MODULE = join(import.meta.dirname, 'tethered.ts');

describe('a tethered child', () => {
  for (const mechanism of ['setpriv', 'shell'] as const) {
    it(`ends when its parent is killed (${mechanism})`, async () => {
      const script = `
        import { spawnTethered } from ${JSON.stringify(MODULE)};
        const child = spawnTethered('sleep', ['600'], { detached: true, stdio: 'ignore', endSignal: 'SIGTERM' }, ${JSON.stringify(mechanism)});
        console.log(child.pid);`;
      const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [pid] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
      assert.ok(existsSync(`/proc/${pid}/exe`), 'it runs while its parent does');
      parent.kill('SIGKILL');
      await until(() => !existsSync(`/proc/${pid}/exe`), 'the child to end');
    });

    it(`ends by itself without a fault, with its own exit code (${mechanism})`, async () => {
      const child = spawnTethered('sh', ['-c', 'exit 7'], { endSignal: 'SIGTERM' }, mechanism);
      assert.deepEqual(await once(child, 'exit'), [7, null]);
    });
  }
});
