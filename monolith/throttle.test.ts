import assert from 'node:assert/strict';
import { Problem } from './errors.ts';
import { createThrottle } from './throttle.ts';

const wrong = async (): Promise<null> => null;
const right = async (): Promise<string> => 'ana';
const isCode = (code: string) => (error: unknown) => error instanceof Problem && error.code === code;

describe('the throttle of logins', () => {
  it('stops a burst of guesses that are sent at once', async () => {
    let checks = 0;
    const throttle = createThrottle({ attempts: 3 });
    const guesses = await Promise.allSettled(
      [...Array(20).keys()].map(() =>
        throttle('ana', async () => {
          checks += 1;
          return null;
        }),
      ),
    );
    assert.equal(checks, 3);
    assert.equal(guesses.filter(({ status }) => status === 'rejected').length, 17);
  });

  it('refuses the right password too, until the window is over, and says how long', async () => {
    let now = 0;
    const throttle = createThrottle({ attempts: 1, window: 60_000, now: () => now });
    await throttle('ana', wrong);
    now = 20_000;
    await assert.rejects(
      throttle('ana', right),
      (error) => isCode('TOO_MANY')(error) && (error as Problem).retryAfter === 40,
    );
    now = 60_000;
    assert.equal(await throttle('ana', right), 'ana');
  });

  it('forgets failures after a success, and keeps addresses apart', async () => {
    const throttle = createThrottle({ attempts: 2 });
    for (let round = 0; round < 5; round++) {
      await throttle('ana', wrong);
      assert.equal(await throttle('ana', right), 'ana');
    }
    await throttle('ana', wrong);
    await throttle('ana', wrong);
    assert.equal(await throttle('bob', right), 'ana');
    await assert.rejects(throttle('ana', right), isCode('TOO_MANY'));
  });

  it('lets many log in to one account at once', async () => {
    const throttle = createThrottle();
    assert.equal((await Promise.all([...Array(100).keys()].map(() => throttle('demo', right)))).length, 100);
  });

  it('remembers a bounded number of addresses', async () => {
    const throttle = createThrottle({ attempts: 1, remembered: 2 });
    for (const address of ['a', 'b', 'c']) await throttle(address, wrong);
    assert.equal(await throttle('a', right), 'ana');
    await assert.rejects(throttle('c', right), isCode('TOO_MANY'));
  });

  it('has a line that can be full, and goes on after a check that threw', async () => {
    const throttle = createThrottle({ waiting: 1 });
    const broken = throttle('ana', () => Promise.reject(new Error('no database')));
    await assert.rejects(throttle('bob', right), isCode('BUSY'));
    await assert.rejects(broken, /no database/);
    assert.equal(await throttle('ana', right), 'ana');
  });
});
