import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const MOCHA = resolve(import.meta.dirname, '../node_modules/mocha/bin/mocha.js');

/** Runs a spec of its own in a mocha of its own. */
function run(spec: string): { status: number | null; lastLine: string } {
  const dir = mkdtempSync(join(tmpdir(), 'reporter-'));
  try {
    const file = join(dir, 'a.test.cjs');
    writeFileSync(file, spec);
    const reporter = join(import.meta.dirname, 'reporter.ts');
    const { status, stdout } = spawnSync(
      process.execPath,
      [MOCHA, '--no-config', '--reporter', reporter, file],
      {
        encoding: 'utf8',
      },
    );
    return { status, lastLine: stdout.trimEnd().split('\n').at(-1) ?? '' };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describe('the last line of a test run', () => {
  it('counts what passed and what failed', () => {
    assert.deepEqual(run("it('a', () => {}); it('b', () => {})"), {
      status: 0,
      lastLine: '2 passed, 0 failed',
    });
    assert.deepEqual(run("it('a', () => {}); it('b', () => { throw new Error('x') })"), {
      status: 1,
      lastLine: '1 passed, 1 failed',
    });
  });

  it('counts a run that ended badly after its tests as failed', () => {
    const { status, lastLine } = run("it('a', () => {}); process.once('exit', () => process.exit(3))");
    assert.notEqual(status, 0);
    assert.doesNotMatch(lastLine, / 0 failed/);
  });

  it('is not green when the process leaves in the middle, or a file does not load', () => {
    for (const spec of ["it('a', () => {}); it('b', () => process.exit(0))", "throw new Error('load')"]) {
      const { status, lastLine } = run(spec);
      assert.notEqual(status, 0, spec);
      assert.doesNotMatch(lastLine, / 0 failed/);
    }
  });
});
