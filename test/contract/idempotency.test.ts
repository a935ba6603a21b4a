import assert from 'node:assert/strict';
import { openImageSides, type ImageSides } from '../support/image-sides.ts';
import { photo } from './pictures.ts';

const NOTHING = { incoming: [], withoutRow: [], withoutFile: [] };

describe('uploads that are sent again (Idempotency-Key)', () => {
  let sides: ImageSides;
  before(async () => {
    sides = await openImageSides();
  });
  after(() => sides?.close());

  for (const name of ['imageApi', 'ownImageApi'] as const) {
    describe(`at the ${name}`, () => {
      const send = async (key: string, width = 60, alt = '', path = '/products/1/images') => {
        const body = new FormData();
        body.set('image', new Blob([new Uint8Array(await photo(width, 40))]), 'x.jpg');
        body.set('alt', alt);
        const response = await fetch(sides[name].url + path, {
          method: 'POST',
          headers: { cookie: sides.cookie, 'idempotency-key': key },
          body,
        });
        const { status, headers } = response;
        return {
          status,
          location: headers.get('location'),
          isReplayed: headers.get('idempotency-replayed') === 'true',
          json: (await response.json()) as Record<string, unknown>,
        };
      };
      const count = async (): Promise<number> => {
        const { pool, table } = sides[name];
        return Number((await pool.query(`SELECT count(*) FROM ${table}`)).rows[0].count);
      };

      it('stores one, and answers the others the same', async () => {
        const before = await count();
        const first = await send('"a-key"');
        assert.deepEqual([first.status, first.isReplayed], [201, false]);
        // In quotes or bare, it is one key.
        const second = await send('a-key');
        assert.deepEqual(second, { ...first, isReplayed: true });
        assert.equal(await count(), before + 1);
        const other = await send('another-key');
        assert.notEqual(other.location, first.location);
      });

      it('stores one of twenty that come at the same moment', async () => {
        const before = await count();
        const answers = await Promise.all(Array.from({ length: 20 }, () => send('at-once', 64)));
        assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
        assert.equal(new Set(answers.map(({ location }) => location)).size, 1);
        assert.equal(answers.filter(({ isReplayed }) => !isReplayed).length, 1);
        assert.equal(await count(), before + 1);
        assert.deepEqual(await sides[name].leftovers(), NOTHING);
      });

      it('refuses a key that came with something else', async () => {
        assert.equal((await send('once-only', 60, 'one')).status, 201);
        for (const [width, alt] of [
          [61, 'one'],
          [60, 'two'],
        ] as const) {
          const { status, json } = await send('once-only', width, alt);
          assert.equal(status, 422);
          assert.equal(json['code'], 'KEY_REUSED');
          assert.match(String(json['detail']), /another upload/);
        }
      });

      it('frees the key when nothing was stored', async () => {
        const { pool, table } = sides[name];
        await pool.query(
          "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
        );
        await pool.query(`CREATE TRIGGER no AFTER INSERT ON ${table} EXECUTE FUNCTION no()`);
        assert.equal((await send('tried')).status, 500);
        await pool.query('DROP FUNCTION no() CASCADE');
        const again = await send('tried');
        assert.deepEqual([again.status, again.isReplayed], [201, false]);
        sides[name].errors.length = 0;
      });

      it('remembers what was answered when the picture is gone, and forgets after a day', async () => {
        const { pool, url } = sides[name];
        const first = await send('short-lived', 66);
        const { cookie } = sides;
        assert.equal(
          (await fetch(url + first.location!, { method: 'DELETE', headers: { cookie } })).status,
          204,
        );
        assert.deepEqual(await send('short-lived', 66), { ...first, isReplayed: true });
        await pool.query("UPDATE image_api.idempotency_keys SET created_at = now() - interval '25 hours'");
        await sides[name].sweep();
        const later = await send('short-lived', 66);
        assert.equal(later.isReplayed, false);
        assert.notEqual(later.location, first.location);
      });

      it('takes no key that is none', async () => {
        for (const key of ['"', '""', 'a b', '"a', 'x'.repeat(256), 'ä']) {
          const { status, json } = await send(key).catch(() => ({ status: 400, json: null }));
          assert.equal(status, 400, key);
          if (json) assert.match(String(json['detail']), /Idempotency-Key/);
        }
      });
    });
  }
});
