import assert from 'node:assert/strict';
import { stranger, type Stranger } from '../support/stranger.ts';
import { CROPS, cropsSql, PARCELS, PARCELS_NEW, PARCELS_OLD } from './schemas.ts';
import { writers, type Writers } from './writers.ts';

/** Two tables that are nobody's example, moved by the commands alone. */
describe('a third person’s table', () => {
  let their: Stranger;
  let written: Writers | undefined;
  beforeEach(async function () {
    this.timeout(60_000);
    their = await stranger();
  });
  afterEach(async () => {
    await written?.stop();
    written = undefined;
    await their.close();
  });

  const must = async (verb: string, name: string, ...more: string[]): Promise<string> => {
    const { code, out, err } = await their.move(verb, name, ...more);
    assert.equal(code, 0, `${verb} ${more.join(' ')}: ${out}${err}`);
    return out;
  };

  it('with a key of two columns, bytes, and other names, there, back and there, while both sides are written', async function () {
    this.timeout(180_000);
    assert.ok(PARCELS.split('\n').length < 80);
    their.describe('parcels', PARCELS);
    await their.old.query(PARCELS_OLD);
    await their.young.query(PARCELS_NEW);
    await must('plan', 'parcels');
    await must('start', 'parcels');
    written = writers([
      {
        pool: their.old,
        change: `UPDATE depot.parcels SET "Times moved" = "Times moved" + 1, label = label || '\\x00ff' WHERE depot_code = $1 AND number = $2`,
        counted: `SELECT depot_code || '/' || number AS key, "Times moved" AS n FROM depot.parcels`,
      },
      {
        pool: their.young,
        change: `UPDATE "Parcels" SET moves = moves + 1, scan = scan || '\\x00ff' WHERE depot_code = $1 AND number = $2`,
        counted: `SELECT depot_code || '/' || number AS key, moves AS n FROM "Parcels"`,
      },
    ]);
    const runner = their.run('parcels');
    await runner.reaches('ramp');
    await must('verify', 'parcels');
    for (const [verb, ...more] of [['ramp', '100'], ['reverse'], ['ramp', '100']] as const) {
      const before = written.acked();
      await must(verb, 'parcels', ...more);
      await written.until(before + 20);
    }
    await written.stop();
    await runner.atRest('soak');
    await must('verify', 'parcels');
    await written.assertKept();
    await must('complete', 'parcels');
    const parcels = `SELECT md5(string_agg(t::text, ',' ORDER BY depot_code COLLATE "C", number))`;
    const { rows: old } = await their.old.query(
      `${parcels} FROM (SELECT depot_code, number, label, weight, "Note?" , "Times moved", sent FROM depot.parcels) t`,
    );
    const { rows: young } = await their.young.query(
      `${parcels} FROM (SELECT depot_code, number, scan, (grams / 1000)::numeric(12,3), remark, moves, sent_at FROM "Parcels") t`,
    );
    assert.deepEqual(young, old);
    await assert.rejects(their.old.query('DELETE FROM depot.parcels'), { code: 'SK421' });
    await their.young.query('DELETE FROM "Parcels" WHERE number = 1');
  });

  it('of 6,000 rows with uuids', async function () {
    this.timeout(180_000);
    their.describe('crops', CROPS);
    await their.old.query(cropsSql(6_000));
    await their.young.query(cropsSql(0));
    await must('plan', 'crops');
    await must('start', 'crops');
    const runner = their.run('crops');
    await runner.atRest('ramp');
    await must('ramp', 'crops', '100');
    await their.young.query('UPDATE crops SET yield = yield + 1');
    await must('reverse', 'crops');
    const sum = 'SELECT count(*)::int AS rows, sum(yield) AS yield FROM crops';
    assert.deepEqual((await their.old.query(sum)).rows, (await their.young.query(sum)).rows);
    assert.match(await must('verify', 'crops'), /^6000 keys compared, 0 of them under way, 0 differ/);
    await must('cancel', 'crops');
    assert.deepEqual((await their.young.query('SELECT count(*)::int AS rows FROM crops')).rows, [
      { rows: 0 },
    ]);
  });
});
