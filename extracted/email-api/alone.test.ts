import assert from 'node:assert/strict';
import { createRoom } from './alone.ts';
import { watchOutage } from './outage.ts';
import { createSlots } from './slots.ts';
import { until } from '../../test/support/until.ts';

/** Work that ends when it is told to, and notes what runs beside it. */
function recorder(): {
  enter(name: string): Promise<void>;
  end(name: string): void;
  readonly running: Set<string>;
  readonly log: string[];
} {
  const running = new Set<string>();
  const log: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    running,
    log,
    end: (name) => ends.get(name)!(),
    async enter(name) {
      running.add(name);
      log.push([...running].join('+'));
      await new Promise<void>((end) => ends.set(name, end));
      running.delete(name);
    },
  };
}

describe('a room for suspects', () => {
  it('lets others run beside each other, and a suspect run by itself, in the order of asking', async () => {
    const { enter, end, running, log } = recorder();
    const room = createRoom();
    const all = [
      room(false, () => enter('a')),
      room(false, () => enter('b')),
      room(true, () => enter('suspect')),
      room(false, () => enter('c')),
    ];
    await until(() => running.size === 2, 'the first two');
    end('a');
    end('b');
    await until(() => running.has('suspect'), 'the suspect');
    end('suspect');
    await until(() => running.has('c'), 'the last');
    end('c');
    await Promise.all(all);
    assert.deepEqual(log, ['a', 'a+b', 'suspect', 'c']);
  });

  it('is left by work that fails', async () => {
    const room = createRoom();
    await assert.rejects(
      room(true, () => Promise.reject(new Error('broken'))),
      /broken/,
    );
    assert.equal(await room(true, async () => 'next'), 'next');
  });
});

describe('slots', () => {
  it('are as many as there are, and free again after a fault, which is told', async () => {
    const faults: unknown[] = [];
    const slots = createSlots(2, (error) => faults.push(error));
    const { enter, end } = recorder();
    slots.run(() => enter('a'));
    slots.run(() => Promise.reject(new Error('broken')));
    await slots.room();
    assert.equal(slots.free, 1);
    assert.match(String(faults), /broken/);
    let isEmpty = false;
    const emptied = slots.empty().then(() => (isEmpty = true));
    assert.equal(isEmpty, false);
    end('a');
    await emptied;
    assert.equal(slots.free, 2);
  });
});

describe('an outage of the mail server', () => {
  it('is asked for once by all who wonder, pauses once, and ends with the server’s answer', async () => {
    let isUp = true;
    let asked = 0;
    const log: string[] = [];
    const note = (what: string) => (): void => void log.push(what);
    const outage = watchOutage({
      isUp: async () => {
        asked += 1;
        return isUp;
      },
      pause: note('pause'),
      resume: note('resume'),
      log: { warn: () => undefined, info: () => undefined },
      least: 10,
      most: 20,
      random: () => 0,
    });
    assert.equal(await outage.isOut(), false);
    assert.equal(asked, 1);
    isUp = false;
    assert.deepEqual(await Promise.all([outage.isOut(), outage.isOut(), outage.isOut()]), [true, true, true]);
    assert.deepEqual(log, ['pause']);
    assert.ok(outage.isKnown());
    await until(() => asked > 4, 'it to be looked for');
    isUp = true;
    await until(() => !outage.isKnown(), 'the end');
    assert.deepEqual(log, ['pause', 'resume']);
    outage.stop();
  });
});
