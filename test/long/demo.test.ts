import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

describe('make demo', () => {
  it('tells its story to the end, in under two minutes', async () => {
    const child = spawn(process.execPath, [join(ROOT, 'tools/demo.ts')], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 0, said);
    assert.match(said, /0 of \d+ reads failed/);
    assert.match(said, /stepBack/);
  }).timeout(120_000);
});
