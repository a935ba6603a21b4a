import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSql } from '../../test/support/planned-move.ts';
import { testDatabase, type TestDatabase } from '../../test/support/postgres.ts';

describe('strangler move plan', () => {
  let old: TestDatabase;
  let now: TestDatabase;
  let moves: string;
  before(async () => {
    old = await testDatabase();
    now = await testDatabase();
    moves = mkdtempSync(join(tmpdir(), 'moves-'));
    writeFileSync(
      join(moves, 'notes.ts'),
      `export default { name: 'notes', sides: { from: 'shop', to: 'notes-api' }, fromTable: 'notes', toTable: 'notes', key: ['id'], owner: 'product' };`,
    );
    writeFileSync(join(moves, 'empty.ts'), 'export default { name: "empty" };');
    for (const { url } of [old, now])
      await runSql(url, 'CREATE TABLE notes (id uuid PRIMARY KEY, product bigint NOT NULL)');
    await runSql(old.url, 'INSERT INTO notes SELECT gen_random_uuid(), n FROM generate_series(1, 5) n');
  });
  after(async () => {
    if (moves) rmSync(moves, { recursive: true });
    await old?.drop();
    await now?.drop();
  });

  function strangler(
    args: readonly string[],
    env: Record<string, string> = { DATABASE_URL: old.url, IMAGE_DATABASE_URL: now.url },
  ): Promise<{ code: number; out: string; err: string }> {
    const main = join(import.meta.dirname, '../main.ts');
    const { DATABASE_URL: _, IMAGE_DATABASE_URL: __, ...inherited } = process.env;
    return new Promise((done) => {
      execFile(
        process.execPath,
        [main, 'move', 'plan', ...args, '--moves', moves],
        { env: { ...inherited, ...env } },
        (error, out, err) => done({ code: error === null ? 0 : Number(error.code), out, err }),
      );
    });
  }

  it('exits 0 and says what there is and what will be made', async () => {
    const { code, out, err } = await strangler(['notes']);
    assert.deepEqual([code, err], [0, '']);
    assert.match(out, /notes can be moved from public\.notes of shop to public\.notes of notes-api/);
    assert.match(out, /shop +5 +\d+ +5 +0, 0, 1 +0, 0, 1 +5 row\(s\)/);
    assert.match(out, /notes-api: triggers .*notes_fence.* on public\.notes/);
  });

  it('exits 1 with every reason and remedy, and as JSON with the same', async () => {
    await runSql(now.url, 'ALTER TABLE notes SET UNLOGGED, ALTER product DROP NOT NULL');
    try {
      const { code, out, err } = await strangler(['notes']);
      assert.deepEqual([code, out], [1, '']);
      assert.match(
        err,
        /2 reason\(s\)\nnotes-api: .*unlogged.*\n {2}remedy: .*\nnotes-api: .*may be NULL.*\n {2}remedy: /,
      );
      const json = await strangler(['notes', '--json']);
      assert.deepEqual([json.code, json.err], [1, '']);
      const plan = JSON.parse(json.out) as {
        refused: boolean;
        findings: { rule: string }[];
        sides: { from: { counts: { rows: number } } };
      };
      assert.equal(plan.refused, true);
      assert.deepEqual(
        plan.findings.map(({ rule }) => rule),
        ['table.unlogged', 'owner.null'],
      );
      assert.equal(plan.sides.from.counts.rows, 5);
    } finally {
      await runSql(now.url, 'ALTER TABLE notes SET LOGGED, ALTER product SET NOT NULL');
    }
  });

  it('takes the databases from --from and --to first', async () => {
    const { code } = await strangler(['notes', '--from', old.url, '--to', now.url], {});
    assert.equal(code, 0);
  });

  for (const [what, args, env, says] of [
    ['no name', [], undefined, /missing required argument 'name'/],
    ['a name that is a path', ['../notes'], undefined, /"\.\.\/notes" is no name of a move/],
    [
      'a move that is not there',
      ['other'],
      undefined,
      /there is no move "other": .*other\.ts does not exist/,
    ],
    [
      'a move without a table',
      ['empty'],
      undefined,
      /does not say the name, table, key and owner of the side it moves from/,
    ],
    ['no database', ['notes'], {}, /--from or DATABASE_URL/],
    [
      'a database that is away',
      ['notes', '--to', 'postgres://x@/x?host=/nonexistent'],
      undefined,
      /the database of notes-api can't be asked/,
    ],
    ['a sample that is no number', ['notes', '--sample', 'all'], undefined, /--sample all is not/],
  ] as const)
    it(`exits 2 for ${what}`, async () => {
      const { code, out, err } = await strangler(args, env);
      assert.deepEqual([code, out], [2, '']);
      assert.match(err, says);
    });
});
