import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createListeners } from './listeners.ts';

describe('who accepts on the traffic port', () => {
  let stateDir: string;
  let other: ChildProcess;
  beforeEach(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'listeners-'));
    other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    await once(other, 'spawn');
  });
  afterEach(async () => {
    if (other.exitCode === null && other.signalCode === null) {
      other.kill('SIGKILL');
      await once(other, 'exit');
    }
    rmSync(stateDir, { recursive: true });
  });
  const listen = { host: '127.0.0.1', port: 8080 };
  /** The entry that the other process would have written. */
  const announceOther = (port = 8080): string => {
    const stat = readFileSync(`/proc/${other.pid}/stat`, 'utf8');
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const path = join(stateDir, 'listeners', String(other.pid));
    writeFileSync(path, `${other.pid} ${start} ${other.pid} 127.0.0.1:${port}`);
    return path;
  };

  it('is nobody at first, and not this router itself', () => {
    const listeners = createListeners({ stateDir, router: process.pid, listen });
    assert.deepEqual([listeners.others(), listeners.followed], [false, false]);
    listeners.announce(8080);
    assert.equal(listeners.others(), false);
    listeners.withdraw();
    assert.equal(existsSync(join(stateDir, 'listeners', String(process.pid))), false);
  });

  it('is another router that lives and has the same port', async () => {
    const listeners = createListeners({ stateDir, router: process.pid, listen });
    announceOther(9090);
    assert.equal(listeners.others(), false, 'another port');
    const path = announceOther();
    assert.equal(listeners.others(), true);
    assert.equal(createListeners({ stateDir, router: process.pid, listen }).followed, true);
    other.kill('SIGKILL');
    await once(other, 'exit');
    assert.equal(listeners.others(), false, 'it is dead');
    assert.equal(existsSync(path), false, 'and what it left is cleared away');
  });

  it('is nobody whose pid is that of a later process', () => {
    const listeners = createListeners({ stateDir, router: process.pid, listen });
    writeFileSync(
      join(stateDir, 'listeners', String(other.pid)),
      `${other.pid} 1 ${other.pid} 127.0.0.1:8080`,
    );
    assert.equal(listeners.others(), false);
  });
});
