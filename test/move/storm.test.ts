import assert from 'node:assert/strict';
import { openField, storm, type Field } from './storm.ts';
import { details, isClean, summary } from './verdict.ts';

/** Short; test/long has the full length and every planted mistake. */
describe('a move in a storm', () => {
  let field: Field;
  before(async function () {
    this.timeout(60_000);
    field = await openField();
  });
  after(() => field.close());

  it('loses, doubles and changes nothing, whoever is killed', async function () {
    this.timeout(180_000);
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
    const outcome = await storm(field, { seconds: 12, seed, crashes: 1, routerKills: 1 });
    const told = [`seed ${seed}: ${summary(outcome)}`, ...details(outcome), ...outcome.notes].join('\n');
    assert.ok(isClean(outcome), told);
    assert.deepEqual(outcome.notes, [], told);
    assert.ok(outcome.acked > 200 && outcome.routed > 50 && outcome.handovers > 5 && outcome.kills > 5, told);
  });
});
