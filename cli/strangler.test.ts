import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The launcher in front of a main.ts that says how it was started. */
describe('the launcher', () => {
  const arch = process.arch === 'x64' ? 'x64' : 'arm64';
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'launcher '));
    const packages = join(dir, 'node_modules');
    mkdirSync(join(dir, 'cli'));
    mkdirSync(join(packages, '.bin'), { recursive: true });
    mkdirSync(join(packages, '@strangler-kit'));
    mkdirSync(join(packages, `node-linux-${arch}/bin`), { recursive: true });
    symlinkSync(process.execPath, join(packages, `node-linux-${arch}/bin/node`));
    cpSync(join(import.meta.dirname, 'strangler'), join(dir, 'cli/strangler'));
    writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
    writeFileSync(
      join(dir, 'cli/main.ts'),
      `const said: string[] = [process.version, process.cwd(), ...process.argv.slice(2)];
       console.log(JSON.stringify(said));
       if (said.includes('wait')) { process.on('SIGTERM', () => process.exit(9)); setInterval(() => {}, 1000); console.log('waiting'); }
       else process.exitCode = 5;`,
    );
    // As npm links a workspace's bin.
    symlinkSync('../../cli', join(packages, '@strangler-kit/cli'));
    symlinkSync('../@strangler-kit/cli/strangler', join(packages, '.bin/strangler'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  // A machine whose own node is too old, or has none.
  const env = { PATH: '/usr/bin:/bin', CDPATH: '/' };

  it('finds the pinned Node from any folder and through any links, and passes arguments and the exit code', () => {
    const link = join(dir, 'a link');
    symlinkSync('node_modules/.bin/strangler', link);
    for (const command of [link, join(dir, 'cli/strangler'), join(dir, 'node_modules/.bin/strangler')]) {
      const { status, stdout } = spawnSync(command, ['a b', '', '$x'], {
        cwd: '/usr',
        env,
        encoding: 'utf8',
      });
      assert.deepEqual(JSON.parse(stdout), [process.version, '/usr', 'a b', '', '$x'], command);
      assert.equal(status, 5);
    }
  });

  it('is Node itself after the start: a signal reaches it', async () => {
    const child = spawn(join(dir, 'node_modules/.bin/strangler'), ['wait'], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout })) if (line === 'waiting') break;
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [9, null]);
  });

  it('says what to do when the pinned Node is missing', () => {
    rmSync(join(dir, 'node_modules', `node-linux-${arch}`), { recursive: true });
    // A Node of the machine that is too old.
    mkdirSync(join(dir, 'bin'));
    writeFileSync(join(dir, 'bin/node'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const { status, stderr } = spawnSync(join(dir, 'cli/strangler'), [], {
      env: { PATH: `${join(dir, 'bin')}:/usr/bin:/bin` },
      encoding: 'utf8',
    });
    assert.equal(status, 2);
    assert.match(stderr, /npm ci --include=optional/);
  });
});
