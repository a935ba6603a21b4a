import assert from 'node:assert/strict';
import { CROPS, cropsSql } from '../move/schemas.ts';
import { stranger, type Stranger } from '../support/stranger.ts';

const ROWS = 2_000_000;

describe('a move of two million rows', () => {
  let their: Stranger;
  before(async () => {
    their = await stranger();
    their.describe('crops', CROPS);
    await their.old.query(cropsSql(ROWS));
    await their.young.query(cropsSql(0));
  });
  after(() => their.close());

  it('copies, verifies, hands over and comes back, by the commands alone', async () => {
    const tell = (what: string, since: number): void => {
      const seconds = (performance.now() - since) / 1000;
      process.stdout.write(`      ${what}: ${seconds.toFixed(1)} s, ${Math.round(ROWS / seconds)} rows/s\n`);
    };
    const must = async (verb: string, ...more: string[]): Promise<string> => {
      const { code, out, err } = await their.move(verb, 'crops', ...more);
      assert.equal(code, 0, `${verb}: ${out}${err}`);
      return out;
    };
    await must('plan');
    await must('start');
    const copying = performance.now();
    const runner = their.run('crops');
    await runner.reaches('verify', 3_600_000);
    tell('copied', copying);
    await runner.reaches('ramp', 3_600_000);
    const verifying = performance.now();
    assert.match(await must('verify'), new RegExp(`^${ROWS} keys compared, 0 of them under way, 0 differ`));
    tell('verified', verifying);
    await must('ramp', '100');
    const { rowCount } = await their.young.query('UPDATE crops SET yield = yield + 1 WHERE plot = 7');
    await must('reverse');
    assert.ok(rowCount! > 0);
    const sum = 'SELECT md5(string_agg(yield::text, $1 ORDER BY id)) AS sum FROM crops WHERE plot < 10';
    assert.deepEqual((await their.old.query(sum, [','])).rows, (await their.young.query(sum, [','])).rows);
  });
});
