import assert from 'node:assert/strict';
import { assertFound } from '../move/found.ts';
import { PLANTS } from '../move/plants.ts';
import { openField, storm, type Field } from '../move/storm.ts';
import { isClean, summary } from '../move/verdict.ts';

describe('a move in a long storm', () => {
  let field: Field;
  before(async () => {
    field = await openField();
  });
  after(() => field.close());

  it('loses, doubles and changes nothing of 100,000 acknowledged writes', async () => {
    let acked = 0;
    for (let seed = 1; acked < 100_000; seed += 1) {
      const outcome = await storm(field, { seconds: 60, seed, crashes: 4 });
      assert.ok(
        isClean(outcome) && outcome.notes.length === 0,
        `seed ${seed}: ${summary(outcome)}\n${outcome.notes.join('\n')}`,
      );
      assert.ok(outcome.handovers > 50, `seed ${seed}: ${outcome.handovers} handovers`);
      acked += outcome.acked;
    }
  });

  for (const plant of PLANTS) it(`finds a planted mistake: ${plant}`, () => assertFound(field, plant, 6));
});
