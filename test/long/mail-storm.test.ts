import assert from 'node:assert/strict';
import { generator } from '../move/random.ts';
import { mailStorm } from './mail-storm.ts';

/** ORDERS=10000, RATE orders a second, KILL_EVERY and OUTAGE in seconds, SEED; DRIVER=pgboss or amqp for one of them. With RabbitMQ it needs Debian's, as `make test-system`. */
describe('the shop’s mail in a storm', () => {
  const { ORDERS = '10000', RATE = '60', SEED, DRIVER, OUTAGE = '60', KILL_EVERY = '5' } = process.env;
  for (const driver of ['pgboss', 'amqp'] as const) {
    if (DRIVER && DRIVER !== driver) continue;
    it(`arrives, each once, by ${driver}`, async function () {
      this.timeout(3_600_000);
      const seed = Number(SEED ?? Math.floor(Math.random() * 1e6));
      const log = (line: string): void => void process.stdout.write(`      ${line}\n`);
      const { wrong, ...told } = await mailStorm({
        orders: Number(ORDERS),
        driver,
        random: generator(seed),
        rate: Number(RATE),
        killEvery: Number(KILL_EVERY),
        brokerKillEvery: 45,
        outage: Number(OUTAGE),
        log,
      });
      log(`seed ${seed}: ${JSON.stringify(told)}`);
      assert.deepEqual(wrong, [], `seed ${seed}`);
      assert.ok((told.by['monolith'] ?? 0) > 0 && (told.by['email-api'] ?? 0) > 0, 'both senders had orders');
    });
  }
});
