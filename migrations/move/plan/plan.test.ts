import assert from 'node:assert/strict';
import {
  ROWS,
  notes,
  plannedMove,
  refusals,
  runSql,
  type PlannedMove,
} from '../../../test/support/planned-move.ts';
import type { TestDatabase } from '../../../test/support/postgres.ts';
import { without } from './subject.ts';
import type { Row } from '../description.ts';

describe('the plan of a move', () => {
  let move: PlannedMove;
  before(async () => {
    move = await plannedMove();
  });
  after(() => move?.drop());
  beforeEach(() => move.afresh());

  it('accepts what can be moved, and counts', async () => {
    await runSql(move.old.url, ROWS);
    const found = await move.plan();
    assert.deepEqual(refusals(found), []);
    assert.equal(found.refused, false);
    const { counts, tried } = found.sides.from;
    assert.ok(counts!.bytes > 0);
    assert.deepEqual(
      { ...counts, bytes: 0, tried },
      {
        rows: 10,
        bytes: 0,
        owners: 3,
        ownersPerBucket: { smallest: 0, median: 0, largest: 1 },
        rowsPerBucket: { smallest: 0, median: 0, largest: 4 },
        tried: 10,
      },
    );
    assert.deepEqual(notes(found), ['sequence.lease']);
    assert.ok(
      found.creates.some(
        ({ side, what }) => side === 'image-api' && what.includes('strangler.pictures_bucket'),
      ),
    );
  });

  it('changes nothing', async () => {
    await move.plan();
    await assert.rejects(
      runSql(move.old.url, 'SELECT FROM strangler.move'),
      /relation "strangler.move" does not exist/,
    );
  });

  it('refuses a key or owner that is not there, not carried as text, or computed', async () => {
    assert.deepEqual(
      refusals(await move.plan({ owner: 'shop' })).map(({ rule }) => rule),
      ['key.column', 'key.column'],
    );
    await runSql(move.old.url, 'ALTER TABLE pictures ALTER product TYPE numeric');
    await runSql(
      move.now.url,
      'ALTER TABLE pictures DROP product, ADD product bigint NOT NULL GENERATED ALWAYS AS (id / 2) STORED',
    );
    const rules = refusals(await move.plan()).map(({ rule }) => rule);
    for (const rule of ['key.type', 'key.generated']) assert.ok(rules.includes(rule), rules.join());
  });

  it('says all reasons at once', async () => {
    await runSql(
      move.old.url,
      'ALTER TABLE pictures ADD UNIQUE (alt), DROP CONSTRAINT pictures_pkey, SET UNLOGGED',
    );
    await runSql(move.now.url, 'ALTER TABLE pictures ENABLE ROW LEVEL SECURITY');
    assert.deepEqual(
      refusals(await move.plan()).map(({ rule, side }) => [side, rule]),
      [
        ['shop', 'table.unlogged'],
        ['shop', 'key.missing'],
        ['shop', 'unique.owners'],
        ['image-api', 'table.row_security'],
      ],
    );
  });

  it('refuses one database for both sides', async () => {
    const rules = refusals(await move.plan({}, { to: move.old.url })).map(({ rule }) => rule);
    assert.ok(rules.includes('sides.same'));
  });

  it('refuses sides of two encodings', async () => {
    const latin = `latin_${process.pid}`;
    await runSql(
      move.now.url,
      `CREATE DATABASE ${latin} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    try {
      const to = move.now.url.replace(/\/test_\w+/, `/${latin}`);
      const rules = refusals(await move.plan({}, { to })).map(({ rule }) => rule);
      assert.deepEqual(rules, ['sides.encoding', 'table.missing']);
    } finally {
      await runSql(move.now.url, `DROP DATABASE ${latin}`);
    }
  });

  it('refuses a role that may not do what the move needs', async () => {
    const { role, drop } = await makeRole(move.old, 'mover');
    try {
      const stranger = refusals(await move.plan({}, { from: move.old.urlFor(role) }));
      assert.deepEqual(
        stranger.map(({ rule }) => rule),
        ['privilege.create', 'privilege.owner', 'privilege.select', 'privilege.sequence'],
      );
      assert.match(stranger[0]!.remedy, new RegExp(`GRANT CREATE ON DATABASE … TO ${role}`));
      await runSql(
        move.old.url,
        `ALTER TABLE pictures OWNER TO ${role}; CREATE SCHEMA strangler AUTHORIZATION ${role}`,
      );
      assert.deepEqual(refusals(await move.plan({}, { from: move.old.urlFor(role) })), []);
    } finally {
      await drop();
    }
  });

  it('says what becomes of references and unique columns that may stay', async () => {
    await runSql(
      move.old.url,
      `ALTER TABLE pictures ADD FOREIGN KEY (product) REFERENCES products, ADD UNIQUE (product, alt), ADD UNIQUE (id, alt), ADD UNIQUE (size);
       INSERT INTO products VALUES (0), (1), (2); ${ROWS}`,
    );
    const found = await move.plan({ distinct: ['pictures_size_key'] });
    assert.deepEqual(refusals(found), []);
    assert.deepEqual(notes(found), ['unique.owner', 'unique.distinct', 'reference.stays', 'sequence.lease']);
  });

  it('names the column and the row that do not come back', async () => {
    await runSql(move.old.url, `${ROWS}; UPDATE pictures SET alt = ' Bild ' WHERE id IN (4, 7)`);
    const [first, ...rest] = refusals(
      await move.plan({
        up: (row: Row) => ({ ...without(row, ['legacy']), alt: row['alt']!.trim() }),
        down: (row: Row) => without(row, ['seen']),
      }),
    );
    assert.deepEqual(rest, []);
    assert.equal(first!.rule, 'mapping.differs');
    assert.match(
      first!.reason,
      /the column alt of public.pictures back, in 2 of 10 rows; first in id=4: " Bild " comes back as "Bild"/,
    );
  });

  it('names the row that a mapping fails for, and a mapping that changes the owner', async () => {
    await runSql(move.old.url, ROWS);
    const down = (row: Row): Row => without(row, ['seen']);
    const failing = (row: Row): Row => {
      if (row['id'] === '7') throw new Error('no seven');
      return without(row, ['legacy']);
    };
    const [first] = refusals(await move.plan({ up: failing, down }));
    assert.match(first!.reason, /fails for 1 of 10 rows of public.pictures, first for id=7: no seven/);
    const other = (row: Row): Row => ({ ...without(row, ['legacy']), product: '1' });
    const rules = refusals(await move.plan({ up: other, down })).map(({ rule }) => rule);
    assert.deepEqual(rules, ['mapping.identity', 'mapping.differs']);
  });

  it('tries the rows of the new side too, and says when there are none to try', async () => {
    assert.ok(notes(await move.plan()).includes('mapping.untried'));
    await runSql(move.now.url, `INSERT INTO pictures VALUES (1, 1, 'a', 1, now())`);
    const found = await move.plan({
      up: (row: Row) => without(row, ['legacy']),
      down: (row: Row) => ({ ...without(row, ['seen']), size: '2' }),
    });
    assert.ok(notes(found).includes('sides.rows'));
    assert.match(refusals(found)[0]!.reason, /up\(down\(row\)\) does not give the column size/);
  });

  it('says the statements that lease ids as the mover will', async () => {
    await runSql(move.now.url, 'CREATE TABLE leases (first bigint, size bigint)');
    try {
      const ids = {
        at: 'shop',
        sequence: 'public.pictures_id_seq',
        left: 'SELECT count(*) FROM public.leases',
        lease: 'INSERT INTO public.leases VALUES ($1, $2)',
      };
      assert.deepEqual(refusals(await move.plan({ ids })), []);
      const unqualified = {
        ...ids,
        sequence: 'pictures_id_seq',
        lease: 'INSERT INTO leases VALUES ($1, $2)',
      };
      const rules = refusals(await move.plan({ ids: unqualified })).map(
        ({ rule, side }) => `${side} ${rule}`,
      );
      assert.deepEqual(rules, ['shop ids.sequence', 'image-api ids.statement']);
    } finally {
      await runSql(move.now.url, 'DROP TABLE IF EXISTS leases');
    }
  });

  it('lets a trigger be that the move calls passive', async () => {
    await runSql(
      move.now.url,
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
       CREATE TRIGGER whole BEFORE INSERT ON pictures FOR EACH ROW WHEN (NEW.id IS NULL) EXECUTE FUNCTION refuse()`,
    );
    assert.deepEqual(
      refusals(await move.plan()).map(({ rule }) => rule),
      ['table.trigger'],
    );
    const plan = await move.plan({ passive: ['whole'] });
    assert.deepEqual(refusals(plan), []);
    assert.ok(notes(plan).includes('trigger.passive'));
  });
});

async function makeRole(
  { url }: TestDatabase,
  name: string,
): Promise<{ role: string; drop(): Promise<void> }> {
  const role = `${name}_${process.pid}`;
  await runSql(url, `CREATE ROLE ${role} LOGIN`);
  return {
    role,
    drop: () =>
      runSql(
        url,
        `DROP SCHEMA IF EXISTS strangler CASCADE; REASSIGN OWNED BY ${role} TO postgres; DROP OWNED BY ${role}; DROP ROLE ${role}`,
      ),
  };
}
