import assert from 'node:assert/strict';
import { picturesStorm } from '../move/pictures-storm.ts';
import { generator } from '../move/random.ts';

describe('the shop’s pictures in a storm', () => {
  it('are all there in the end, with the bytes that were uploaded, whoever was killed', async () => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
    const seconds = Number(process.env.SECONDS ?? 120);
    const { wrong, ...told } = await picturesStorm(seconds, generator(seed));
    process.stdout.write(`      seed ${seed}: ${JSON.stringify(told)}\n`);
    assert.deepEqual(wrong, [], `seed ${seed}`);
    assert.ok(told.pictures > 100 && Object.values(told.kills).every((kills) => kills > 3), `seed ${seed}`);
  });
});
