import assert from 'node:assert/strict';
import { assertFound } from '../move/found.ts';
import { PLANTS } from '../move/plants.ts';
import { play, SCRIPTED, type Scripted } from '../move/scripts.ts';
import { openField, storm, type Field } from '../move/storm.ts';
import { details, isClean, summary, type Outcome } from '../move/verdict.ts';

const ENOUGH = 100_000;

describe('a move in a long storm', () => {
  let field: Field;
  before(async () => {
    field = await openField();
  });
  after(() => field.close());

  it('loses, doubles and changes nothing of 100,000 acknowledged writes', async () => {
    const outcomes: Outcome[] = [];
    const sum = (of: (outcome: Outcome) => number): number =>
      outcomes.reduce((total, outcome) => total + of(outcome), 0);
    for (let seed = Number(process.env.SEED ?? 1); sum(({ acked }) => acked) < ENOUGH; seed += 1) {
      const outcome = await storm(field, { seconds: 120, seed, crashes: 5, routerKills: 6 });
      outcomes.push(outcome);
      const told = [`seed ${seed}: ${summary(outcome)}`, ...details(outcome), ...outcome.notes].join('\n');
      process.stdout.write(`${told.replaceAll(/^/gm, '      ')}\n`);
      assert.ok(isClean(outcome) && outcome.notes.length === 0, told);
      assert.ok(outcome.handovers > 20, told);
    }
    for (const { what } of outcomes[0]!.course)
      assert.ok(
        outcomes.some(({ course }) => course.some((leg) => leg.what === what && leg.arrived)),
        what,
      );
    const killed = (whom: keyof Outcome['killed']): number => sum((outcome) => outcome.killed[whom]);
    assert.ok(killed('runners') >= 50 && killed('router') >= 6 && killed('old') >= 4 && killed('young') >= 4);
    assert.ok(sum(({ routed }) => routed) > ENOUGH / 10);
  });

  const isScripted = (plant: string): plant is Scripted => plant in SCRIPTED;
  for (const plant of PLANTS)
    it(`finds a planted mistake: ${plant}`, async () => {
      if (isScripted(plant)) assert.notEqual(await play(plant, true), undefined);
      else await assertFound(field, plant, 6);
    });
});
