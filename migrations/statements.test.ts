import assert from 'node:assert/strict';
import fc from 'fast-check';
import { statementsOf, transactionControl } from './statements.ts';

const texts = (sql: string): string[] => statementsOf(sql).map(({ text }) => text);

describe('splitting SQL into statements', () => {
  it('ends one at a semicolon and knows the line it begins on', () => {
    assert.deepEqual(statementsOf('-- first\nSELECT 1;\n\n  SELECT\n 2 ;;\n-- end'), [
      { line: 2, text: 'SELECT 1' },
      { line: 4, text: 'SELECT\n 2' },
    ]);
  });

  for (const [what, sql] of [
    ['a literal', "SELECT 'a;''b;'"],
    ['an escape string', "SELECT E'a\\';b'"],
    ['a literal that ends in a backslash', "SELECT 'a\\'"],
    ['a quoted name', 'SELECT 1 AS ";""x"'],
    ['a dollar-quoted body', 'DO $$ BEGIN; $x$ ; $x$ END $$'],
    ['a tagged body', 'DO $body$ a; $$ ; $$ ; $body$'],
    ['a name with dollar signs', "SELECT a$b$c, 'x'"],
  ] as const)
    it(`leaves ${what} whole`, () => assert.deepEqual(texts(`${sql}; SELECT 2`), [sql, 'SELECT 2']));

  it('passes over comments, also nested ones', () => {
    assert.deepEqual(texts('/* a; /* b; */ c; */ SELECT 1 -- x; y\n; SELECT 2'), ['SELECT 1', 'SELECT 2']);
  });

  it('loses nothing but comments and semicolons, and always comes to an end', () => {
    const piece = fc.constantFrom("'", '"', '$$', '$a$', ';', '--', '/*', '*/', '\n', 'x', ' ', '\\', 'E');
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        for (const { line } of statementsOf(pieces.join(''))) assert.ok(line >= 1);
      }),
    );
  });

  it('finds what would end the transaction, and not what only looks like it', () => {
    for (const sql of ['COMMIT', 'SELECT 1; /* x */ begin; SELECT 2', 'START  TRANSACTION', 'x; END'])
      assert.ok(transactionControl(statementsOf(sql)), sql);
    for (const sql of [
      'DO $$ BEGIN COMMIT; END $$',
      "SELECT 'x; COMMIT'",
      'CREATE TABLE commits (n int)',
      'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3',
    ])
      assert.equal(transactionControl(statementsOf(sql)), undefined, sql);
  });
});
