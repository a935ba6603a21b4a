import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLeader, SILENCE } from './leader.ts';

describe('the lead among routers of one state folder', () => {
  let dir: string;
  let path: string;
  let at: number;
  const now = (): number => at;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'leader-'));
    path = join(dir, 'ramp.lock');
    at = Date.now();
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('is one router’s at a time, and passes on when it is given up', () => {
    const [first, second] = [createLeader(path, now), createLeader(path, now)];
    assert.deepEqual([first.lead(), second.lead(), first.lead()], [true, false, true]);
    second.release();
    assert.equal(second.lead(), false, 'nobody gives up what is not theirs');
    first.release();
    assert.equal(existsSync(path), false);
    assert.deepEqual([second.lead(), first.lead()], [true, false]);
  });

  it('passes on at once when the leader’s process is dead', () => {
    writeFileSync(path, '12345 somebody');
    assert.equal(createLeader(path, now, () => true).lead(), false);
    assert.equal(createLeader(path, now, () => false).lead(), true);
  });

  it('passes on after a silence when the process id says nothing', () => {
    writeFileSync(path, `${process.pid} an earlier life`);
    const leader = createLeader(path, now);
    assert.equal(leader.lead(), false);
    at += SILENCE + 1000;
    assert.equal(leader.lead(), true);
  });

  it('is lost to who took it over, and never had twice', () => {
    const [first, second] = [createLeader(path, now), createLeader(path, now)];
    first.lead();
    at += SILENCE + 1000;
    assert.equal(second.lead(), true);
    assert.deepEqual([first.lead(), second.lead()], [false, true]);
    at += SILENCE - 1000;
    assert.equal(second.lead(), true, 'each look is a sign of life');
    at += SILENCE - 1000;
    assert.equal(first.lead(), false);
  });
});
