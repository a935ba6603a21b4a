import assert from 'node:assert/strict';
import { ROWS, plannedMove, refusals, runSql, type PlannedMove } from '../../../test/support/planned-move.ts';

/** What a remedy says is SQL that can be said, and the plan is content with what it does. */
describe('the remedies of a plan', () => {
  let move: PlannedMove;
  before(async () => {
    move = await plannedMove();
  });
  after(() => move?.drop());
  beforeEach(() => move.afresh());

  it('an owner whose texts differ and are taken for equal, with a name that needs quotes', async () => {
    for (const { url } of [move.old, move.now])
      await runSql(
        url,
        `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         ALTER TABLE pictures RENAME alt TO "order"; ALTER TABLE pictures ALTER "order" TYPE text COLLATE loose`,
      );
    const found = refusals(await move.plan({ owner: 'order' }));
    assert.deepEqual(
      found.map(({ rule }) => rule),
      ['key.collation', 'key.collation'],
    );
    for (const { side, remedy } of found)
      await runSql((side === 'shop' ? move.old : move.now).url, remedy.split(', and')[0]!);
    assert.deepEqual(refusals(await move.plan({ owner: 'order' })), []);
  });

  it('a mapping that gives NULL where the other side takes none', async () => {
    await runSql(move.old.url, `${ROWS}; UPDATE pictures SET size = NULL WHERE id > 7`);
    await runSql(move.now.url, 'ALTER TABLE pictures ALTER size SET NOT NULL');
    const [found, ...more] = refusals(await move.plan());
    assert.deepEqual([found!.side, found!.rule, more], ['shop', 'mapping.null', []]);
    assert.match(found!.reason, /NULL for size .*in 3 of 10 rows, first in id=8/);
    await runSql(move.now.url, found!.remedy.split(' or: ')[1]!);
    assert.deepEqual(refusals(await move.plan()), []);
  });
});
