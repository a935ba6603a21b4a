import assert from 'node:assert/strict';
import { openImageSides, type ImageSide, type ImageSides } from '../support/image-sides.ts';
import { photo } from './pictures.ts';

const NOTHING = { incoming: [], withoutRow: [], withoutFile: [] };

/** While data moves, the database refuses what another side writes. 421 always means that nothing was done, so that it can be asked for again there. */
describe('images that another side writes', () => {
  let sides: ImageSides;
  before(async () => {
    sides = await openImageSides();
  });
  after(() => sides?.close());

  for (const name of ['monolith', 'imageApi', 'ownImageApi'] as const) {
    describe(`at the ${name}`, () => {
      const side = (): ImageSide => sides[name];
      const upload = async (accept = 'application/json'): Promise<Response> => {
        const body = new FormData();
        body.set('image', new Blob([new Uint8Array(await photo(60, 40))]), 'x.jpg');
        const headers = { cookie: sides.cookie, accept };
        return fetch(`${side().url}/products/1/images`, {
          method: 'POST',
          headers,
          body,
          redirect: 'manual',
        });
      };
      const change = (location: string, method: 'PATCH' | 'DELETE'): Promise<Response> =>
        fetch(side().url + location, {
          method,
          headers: { cookie: sides.cookie, 'content-type': 'application/json' },
          ...(method === 'PATCH' ? { body: '{"alt":"new"}' } : {}),
        });
      /** A fence as the move has it: before a row is written, whatever is done to it. */
      const fence = async (state: string, detail: string): Promise<void> => {
        const { pool, table } = side();
        await pool.query(
          `CREATE OR REPLACE FUNCTION fence() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN RAISE EXCEPTION 'not here' USING ERRCODE = '${state}', DETAIL = '${detail}'; END $$`,
        );
        await pool.query(
          `CREATE TRIGGER fence BEFORE INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION fence()`,
        );
      };
      const rows = async (): Promise<unknown[]> =>
        (await side().pool.query(`SELECT * FROM ${side().table} ORDER BY id`)).rows;
      let location: string;
      let before: unknown[];
      beforeEach(async () => {
        location = (await upload()).headers.get('location')!;
        before = await rows();
      });
      afterEach(async () => {
        await side().pool.query(`DROP TRIGGER fence ON ${side().table}`);
        assert.deepEqual(await rows(), before);
        assert.deepEqual(await side().leftovers(), NOTHING);
        assert.equal((await fetch(side().url + location)).status, 200);
        assert.deepEqual(side().errors, [], 'a fence is no failure');
      });

      for (const detail of ['image-api; epoch=3', 'monolith; epoch=12; moving'])
        it(`says 421 and where: ${detail}`, async () => {
          await fence('SK421', detail);
          for (const response of [
            await upload(),
            // Whoever passes this on reads headers and JSON, whatever the client wanted.
            await upload('text/html,*/*;q=0.8'),
            await change(location, 'PATCH'),
            await change(location, 'DELETE'),
          ]) {
            assert.equal(response.status, 421);
            assert.equal(response.headers.get('strangler-home'), detail);
            assert.match(response.headers.get('content-type')!, /^application\/problem\+json/);
            assert.equal(response.headers.get('cache-control'), 'no-store');
            const problem = (await response.json()) as { status: number; code: string };
            assert.deepEqual([problem.status, problem.code], [421, 'MISDIRECTED']);
          }
        });

      it('says 409 when rows of two sides are meant', async () => {
        await fence('SK409', '');
        for (const response of [await upload(), await change(location, 'PATCH')]) {
          assert.equal(response.status, 409);
          assert.equal(response.headers.get('strangler-home'), null);
          assert.equal(((await response.json()) as { code: string }).code, 'CONFLICT');
        }
      });
    });
  }
});
