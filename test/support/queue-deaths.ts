import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { useQueue, type QueueUnderTest } from './queue-under-test.ts';
import { until } from './until.ts';

/** Seconds after which a job whose process was killed must be back at the latest. */
const BACK_WITHIN = 20;

const HANGING = join(import.meta.dirname, 'hanging-consumer.ts');

/** What every driver of a queue promises where connections break and processes die; the same table for all of them. */
export function queueDeaths(openSetting: () => Promise<QueueUnderTest>): void {
  const { setting, seen, run, job, numbers, isEmpty } = useQueue(openSetting);

  /** A process takes the job and is killed over it. */
  async function killOneWithIt(): Promise<void> {
    const child = spawn(process.execPath, [HANGING], {
      env: { ...process.env, ...setting().env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  it('goes on after its connections broke, whatever was under way', async () => {
    await setting().send(job(1));
    let end = (): void => {};
    const held = new Promise<void>((over) => (end = over));
    const queue = run(() => held.then(() => ({ type: 'done' })), 2);
    await until(() => seen.length === 1, 'the first');
    await setting().sever();
    end();
    await setting().send(job(2));
    await until(() => numbers().includes(2), 'the next', 30_000);
    await isEmpty(queue);
  });

  it(`takes back the job of a process that was killed, within ${BACK_WITHIN} s`, async () => {
    await setting().send(job(1));
    await killOneWithIt();
    const queue = run(async () => ({ type: 'done' }));
    await until(() => seen.length === 1, 'the job to be back', BACK_WITHIN * 1000);
    assert.equal(seen[0]!.attempt, 2);
    await isEmpty(queue);
  });

  it('gives up a job over which one process after the other dies', async () => {
    await setting().send(job(1));
    await setting().exhaust();
    await killOneWithIt();
    const queue = run(async () => ({ type: 'done' }));
    await until(async () => (await queue.depth().catch(() => null))?.dead === 1, 'the dead letter', 30_000);
    assert.equal(seen.length, 0);
    const box = await setting().openBox();
    const [letter] = await box.list(10);
    assert.equal(letter?.id, '<1@test>');
    assert.match(letter.error, /delivery limit|heartbeat/);
    assert.ok(letter.attempts > 20, `${letter.attempts} attempts`);
    assert.equal(await box.replay('all'), 1);
    await box.close();
    await until(() => seen.length === 1, 'the replayed one');
    assert.equal(seen[0]!.attempt, 1);
  });
}
