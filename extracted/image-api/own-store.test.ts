import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { photo } from '../../test/contract/pictures.ts';
import { openImageSides, type ImageSides } from '../../test/support/image-sides.ts';
import { FIRST_LEASED, openOwnImageApi, type OwnImageApi } from '../../test/support/own-image-api.ts';
import { testPool } from '../../test/support/postgres.ts';
import { until } from '../../test/support/until.ts';
import { askMirrored } from './mirrored.ts';

describe('pictures in a database and a folder of the service’s own', () => {
  let sides: ImageSides;
  let own: OwnImageApi;
  const opened: OwnImageApi[] = [];
  const open = async (...options: Parameters<typeof openOwnImageApi>): Promise<OwnImageApi> => {
    const service = await openOwnImageApi(...options);
    opened.push(service);
    return service;
  };
  before(async () => {
    sides = await openImageSides();
    own = sides.ownImageApi;
  });
  afterEach(async () => {
    for (const service of opened.splice(0)) await service.close();
  });
  after(() => sides?.close());
  const upload = async (width: number, { url } = own, product = 1): Promise<Response> => {
    const body = new FormData();
    body.set('image', new Blob([new Uint8Array(await photo(width, 40))]), 'x.jpg');
    const { cookie } = sides;
    return fetch(`${url}/products/${product}/images`, { method: 'POST', headers: { cookie }, body });
  };
  const send = (method: string, location: string, { url } = own): Promise<Response> =>
    fetch(url + location, {
      method,
      headers: { cookie: sides.cookie, 'content-type': 'application/json' },
      ...(method === 'PATCH' ? { body: '{"alt":"new"}' } : {}),
    });
  const locationOf = (response: Response): string => response.headers.get('location')!;

  it('stores equal bytes once, and keeps them as long as one picture has them', async () => {
    const [one, other] = [locationOf(await upload(30)), locationOf(await upload(30))];
    assert.notEqual(one, other);
    assert.equal(globSync('sha256/*/*', { cwd: own.blobDir }).length, 1);
    await send('DELETE', one);
    await own.sweep();
    assert.equal((await fetch(own.url + other)).status, 200);
    await send('DELETE', other);
    await own.sweep();
    assert.deepEqual(globSync('sha256/*/*', { cwd: own.blobDir }), []);
  });

  it('leaves at most a blob when a commit is refused, and that is collected', async () => {
    await own.pool.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'late'; END $$;
      CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON pictures DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`);
    assert.equal((await upload(31)).status, 500);
    await own.pool.query('DROP TRIGGER refuse ON pictures');
    const { withoutRow, ...others } = await own.leftovers();
    assert.deepEqual([withoutRow.length, others], [1, { incoming: [], withoutFile: [] }]);
    await own.sweep();
    assert.deepEqual((await own.leftovers()).withoutRow, []);
    assert.deepEqual(own.errors.splice(0), ['late']);
  });

  it('remembers when it changed a description', async () => {
    const location = locationOf(await upload(32));
    const changed = async (): Promise<boolean> => {
      const sql = 'SELECT changed_at IS NOT NULL AS changed FROM pictures WHERE id = $1';
      return (await own.pool.query<{ changed: boolean }>(sql, [location.split('/')[2]])).rows[0]!.changed;
    };
    assert.equal(await changed(), false);
    await send('PATCH', location);
    assert.equal(await changed(), true);
  });

  describe('ids', () => {
    it('come from the lease, each once, and from the next when it is used up', async () => {
      const { pool, databaseUrl } = await open(sides.monolith.url, { leased: 100 });
      await pool.query('SELECT lease_picture_ids(700, 50)');
      const service = testPool(databaseUrl, 10);
      const ids: number[] = [];
      await Promise.all(
        Array.from({ length: 10 }, async (_, n) => {
          for (let i = 0; i < 15; i++) {
            // A transaction that is given up takes its id with it.
            const { rows } = await service.query<{ id: string }>('SELECT next_picture_id() AS id');
            if ((i + n) % 2 === 0) ids.push(Number(rows[0]!.id));
          }
        }),
      );
      assert.equal((await service.query('SELECT next_picture_id() AS id')).rows[0].id, null);
      await service.end();
      assert.equal(new Set(ids).size, 75);
      assert.ok(
        ids.every((id) => (id >= FIRST_LEASED && id < FIRST_LEASED + 100) || (id >= 700 && id < 750)),
      );
    });

    it('are waited for: 503 without a lease, and nothing is left', async () => {
      const service = await open(sides.monolith.url, { leased: 0 });
      for (let n = 0; n < 3; n++) {
        const response = await upload(33, service);
        assert.equal(response.status, 503);
        assert.equal(response.headers.get('retry-after'), '1');
      }
      assert.deepEqual(await service.leftovers(), { incoming: [], withoutRow: [], withoutFile: [] });
      assert.deepEqual(service.errors, []);
      await service.pool.query('SELECT lease_picture_ids(41, 1)');
      assert.equal((await service.pool.query('SELECT picture_ids_left()')).rows[0].picture_ids_left, '1');
      // No id was lost to those that were refused.
      assert.equal(locationOf(await upload(33, service)), '/images/41');
      assert.equal((await upload(33, service)).status, 503);
    });

    it('are not asked for where another side writes', async () => {
      const service = await open(sides.monolith.url, { leased: 0 });
      await service.pool.query(`
        CREATE FUNCTION fence() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not here' USING ERRCODE = 'SK421', DETAIL = 'monolith; epoch=1'; END $$;
        CREATE TRIGGER zz_strangler_images_fence BEFORE INSERT ON pictures FOR EACH ROW EXECUTE FUNCTION fence()`);
      assert.equal((await upload(33, service)).status, 421);
    });

    it('are never leased twice, nor made up', async () => {
      for (const [first, size] of [
        [FIRST_LEASED, 1],
        [FIRST_LEASED - 5, 6],
        [0, 1],
        [1, 0],
      ])
        await assert.rejects(own.pool.query('SELECT lease_picture_ids($1, $2)', [first, size]), /id_leases/);
    });
  });

  it('gives the service what it needs and no more', async () => {
    const service = testPool(own.databaseUrl, 1);
    for (const sql of [
      'SELECT lease_picture_ids(1, 1)',
      "SELECT nextval('picture_tickets')",
      'SELECT FROM id_leases',
      "INSERT INTO pictures (id, product_id, kind, size, width, height, sha256) VALUES (1, 1, 'gif', 1, 1, 1, '')",
      "UPDATE pictures SET sha256 = ''",
      "UPDATE pictures SET legacy_name = 'x'",
      'TRUNCATE pictures',
      'CREATE TABLE x ()',
    ])
      await assert.rejects(service.query(sql), { code: '42501' }, sql);
    await service.end();
  });

  describe('products', () => {
    it('are known the moment they are added', async () => {
      const { cookie } = sides;
      assert.equal((await upload(34, own, 2)).status, 404);
      const body = JSON.stringify({ name: 'Stool', priceCents: 1 });
      const headers = { cookie, 'content-type': 'application/json', accept: 'application/json' };
      const { id } = (await (
        await fetch(`${sides.monolith.url}/products`, { method: 'POST', headers, body })
      ).json()) as { id: number };
      assert.equal((await upload(34, own, id)).status, 201);
    });

    it('that have pictures are known without the shop; of others nobody can tell', async () => {
      const service = await open('http://127.0.0.1:1');
      await service.pool.query(
        `INSERT INTO pictures (product_id, kind, size, width, height, sha256) VALUES (7, 'gif', 1, 1, 1, repeat('0', 64))`,
      );
      assert.equal((await fetch(`${service.url}/products/7/images`)).status, 200);
      const unknown = await fetch(`${service.url}/products/8/images`);
      assert.equal(unknown.status, 503);
      assert.equal(unknown.headers.get('retry-after'), '2');
      assert.equal((await fetch(`${service.url}/products/x/images`)).status, 404);
    });
  });

  describe('the news that a write is on the other side too', () => {
    it('is told with the answer', async () => {
      const asked: string[] = [];
      const service = await open(sides.monolith.url, {
        mirrored: async (id) => asked.push(id) > 0,
      });
      const created = await upload(35, service);
      const location = locationOf(created);
      for (const response of [
        created,
        await send('PATCH', location, service),
        await send('DELETE', location, service),
      ]) {
        assert.ok(response.ok);
        assert.equal(response.headers.get('strangler-mirrored'), '1');
      }
      assert.deepEqual(
        asked,
        Array.from({ length: 3 }, () => location.split('/')[2]),
      );
      const refused = await send('DELETE', location, service);
      assert.deepEqual([refused.status, refused.headers.get('strangler-mirrored')], [404, null]);
    });

    it('is not told when nobody can know', async () => {
      assert.equal((await upload(36)).headers.get('strangler-mirrored'), null);
      const service = await open(sides.monolith.url, { mirrored: async () => false });
      const response = await upload(36, service);
      assert.deepEqual([response.status, response.headers.get('strangler-mirrored')], [201, null]);
    });

    it('comes by a query, as soon as it says yes', async () => {
      const { pool } = own;
      await pool.query('CREATE TABLE news (id text, dirty boolean)');
      const sql = 'SELECT NOT dirty FROM news WHERE id = $1';
      const soon = askMirrored({ pool, sql, patience: 5000 });
      const waiting = soon('1');
      await pool.query("INSERT INTO news VALUES ('1', true)");
      await pool.query('UPDATE news SET dirty = false');
      assert.equal(await waiting, true);
      const briefly = askMirrored({ pool, sql, patience: 30 });
      assert.equal(await briefly('2'), false);
      assert.equal(await askMirrored({ pool, sql: 'SELECT nonsense' })('1'), false);
      await pool.query('DROP TABLE news');
    });
  });

  it('waits for no shop to show what it has', async () => {
    const service = await open('http://127.0.0.1:1');
    await until(async () => (await fetch(`${service.url}/readyz`)).ok, 'it to be ready');
    assert.equal((await fetch(`${service.url}/images/1`)).status, 404);
  });
});
