import assert from 'node:assert/strict';
import { once } from 'node:events';
import { globSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { openImageSides, type ImageSide, type ImageSides } from '../support/image-sides.ts';
import { until } from '../support/until.ts';
import { photo } from './pictures.ts';

const BOUNDARY = 'ZuRkKeNnUnG';
const FORM_HEAD = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="image"; filename="x.jpg"\r\n\r\n`;
const NOTHING = { incoming: [], withoutRow: [], withoutFile: [] };

/** What is there when things end in the middle: the same on all sides, but for when it is there. */
describe('images when something goes wrong', () => {
  let sides: ImageSides;
  before(async () => {
    sides = await openImageSides();
  });
  after(() => sides?.close());

  for (const name of ['monolith', 'imageApi', 'ownImageApi'] as const) {
    // On a folder of its own nothing is promised by links: what a row does not name is collected.
    const own = name === 'ownImageApi';
    describe(`at the ${name}`, () => {
      const side = (): ImageSide => sides[name];
      const upload = async (width = 60): Promise<Response> => {
        const body = new FormData();
        body.set('image', new Blob([new Uint8Array(await photo(width, 40))]), 'x.jpg');
        const { cookie } = sides;
        return fetch(`${side().url}/products/1/images`, { method: 'POST', headers: { cookie }, body });
      };
      const open = (head: readonly string[]): Socket => {
        const { hostname, port } = new URL(side().url);
        const socket = connect(Number(port), hostname);
        socket.on('error', () => undefined);
        socket.write(
          [
            ...head,
            `host: ${hostname}`,
            `content-type: multipart/form-data; boundary=${BOUNDARY}`,
            '',
            '',
          ].join('\r\n'),
        );
        return socket;
      };
      /** The status that comes while the body is still being sent. */
      const earlyStatus = async (head: readonly string[]): Promise<number> => {
        const socket = open(head);
        const [data] = (await once(socket, 'data')) as [Buffer];
        socket.destroy();
        return Number(/^HTTP\/1\.1 (\d+)/.exec(data.toString('latin1'))?.[1]);
      };
      const refuseRows = async (how: string, event: 'INSERT' | 'DELETE' = 'INSERT'): Promise<void> => {
        await side().pool.query(
          `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN ${how}; RETURN NEW; END $$`,
        );
        await side().pool.query(
          `CREATE TRIGGER refuse AFTER ${event} ON ${side().table} EXECUTE FUNCTION refuse()`,
        );
      };
      afterEach(async () => {
        await side().pool.query(`DROP TRIGGER IF EXISTS refuse ON ${side().table}`);
        side().errors.length = 0;
      });

      it('keeps nothing of an upload that was broken off', async () => {
        const before = await count(side());
        const socket = open([
          'POST /products/1/images HTTP/1.1',
          'content-length: 5000000',
          `cookie: ${sides.cookie}`,
        ]);
        socket.write(FORM_HEAD);
        // It begins like a picture: what does not is never written; nor is what is less than a slot takes.
        socket.write(Buffer.alloc(2_000_000, '\xff\xd8\xff\xe0', 'latin1'));
        await until(() => globSync(join(side().blobDir, 'incoming/*')).length === 1, 'the upload to begin');
        socket.destroy();
        await until(async () => (await side().leftovers()).incoming.length === 0, 'the received part to go');
        assert.deepEqual(await side().leftovers(), NOTHING);
        assert.equal(await count(side()), before);
        assert.deepEqual(side().errors, []);
      });

      it('keeps no file when the row is refused', async () => {
        await refuseRows("RAISE EXCEPTION 'no'");
        assert.equal((await upload()).status, 500);
        assert.deepEqual(await side().leftovers(), NOTHING);
        assert.deepEqual(side().errors, ['no']);
      });

      it('finds out later when the database went away before it said yes or no', async () => {
        await refuseRows('PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5)');
        assert.ok((await upload()).status >= 500);
        const { incoming, withoutRow, withoutFile } = await side().leftovers();
        // There, the blob would only have come after the row's answer.
        assert.deepEqual(
          [incoming.length, withoutRow.length, withoutFile.length],
          own ? [0, 0, 0] : [1, 1, 0],
        );
        await side().sweep();
        assert.deepEqual(await side().leftovers(), NOTHING);
      });

      if (!own)
        it('leaves alone what the other side is about to settle', async () => {
          await refuseRows('PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5)');
          await upload();
          await sides[name === 'monolith' ? 'imageApi' : 'monolith'].sweep();
          assert.equal((await side().leftovers()).incoming.length, 1);
          await side().sweep();
        });

      it('keeps a picture whose deletion did not come to pass, and does not forget that it began', async () => {
        const location = (await upload()).headers.get('location')!;
        const { cookie } = sides;
        await refuseRows("RAISE EXCEPTION 'no'", 'DELETE');
        const response = await fetch(side().url + location, { method: 'DELETE', headers: { cookie } });
        assert.equal(response.status, 500);
        assert.equal((await side().leftovers()).incoming.length, own ? 0 : 1);
        await side().sweep();
        assert.deepEqual(await side().leftovers(), NOTHING);
        assert.equal((await fetch(side().url + location)).status, 200);
      });

      it('keeps the picture when a sweep finds its row', async () => {
        const location = (await upload()).headers.get('location')!;
        await side().sweep();
        assert.equal((await fetch(side().url + location)).status, 200);
        assert.deepEqual(await side().leftovers(), NOTHING);
      });

      it('deletes once, however many ask', async () => {
        const location = (await upload()).headers.get('location')!;
        const { cookie } = sides;
        const answers = await Promise.all(
          Array.from({ length: 6 }, () =>
            fetch(side().url + location, { method: 'DELETE', headers: { cookie } }),
          ),
        );
        assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 404, 404, 404, 404, 404]);
        if (own) await side().sweep();
        assert.deepEqual(await side().leftovers(), NOTHING);
      });

      it('says so, and logs it, when the file of a picture is missing', async () => {
        // Its own bytes: equal ones are one file there.
        const location = (await upload(61)).headers.get('location')!;
        const id = location.split('/')[2];
        const tag = (await fetch(side().url + location)).headers.get('etag');
        const { pool, table, blobDir } = side();
        const sql = `SELECT * FROM ${table} WHERE id = $1`;
        const { rows } = await pool.query<{ file: string; sha256: string }>(sql, [id]);
        rmSync(own ? sides.ownImageApi.blobs.pathOf(rows[0]!.sha256) : join(blobDir, rows[0]!.file));
        for (const query of ['', '?w=10']) {
          const response = await fetch(side().url + location + query);
          assert.equal(response.status, 500);
          assert.match(response.headers.get('content-type')!, /^application\/problem\+json/);
          assert.notEqual(response.headers.get('etag'), tag);
          assert.equal(response.headers.get('cache-control'), 'no-store');
          assert.ok(!(await response.text()).includes(side().blobDir));
        }
        assert.equal(side().errors.length, 2);
        await pool.query(`DELETE FROM ${table} WHERE id = $1`, [id]);
      });

      it('answers before the body has come when it is not going to be taken', async () => {
        const length = 'content-length: 20000000';
        const cookie = `cookie: ${sides.cookie}`;
        assert.equal(await earlyStatus(['POST /products/1/images HTTP/1.1', length]), 401);
        assert.equal(await earlyStatus(['POST /products/999999/images HTTP/1.1', length, cookie]), 404);
        assert.equal(
          await earlyStatus(['POST /products/1/images HTTP/1.1', 'content-length: 30000000', cookie]),
          413,
        );
      });

      it('lets a client that closes the connection send to the end, so that it sees the answer', async () => {
        const socket = open([
          'POST /products/1/images HTTP/1.1',
          'content-length: 20000000',
          'connection: close',
        ]);
        const faults: string[] = [];
        const closed = new Promise((done) => socket.once('close', done));
        socket.on('error', ({ message }) => faults.push(message));
        // Nothing is read before all is written: a server that answers and closes would break the writing.
        const chunk = Buffer.alloc(1_000_000);
        for (let sent = 0; sent < 20 && faults.length === 0; sent++) {
          if (!socket.write(chunk))
            await Promise.race([new Promise((drained) => socket.once('drain', drained)), closed]);
        }
        assert.deepEqual(faults, []);
        const [data] = (await once(socket, 'data')) as [Buffer];
        assert.match(data.toString('latin1'), /^HTTP\/1\.1 401 /);
        socket.destroy();
      });

      it('answers 413 to a body without end, while it comes', async () => {
        const socket = open([
          'POST /products/1/images HTTP/1.1',
          'transfer-encoding: chunked',
          `cookie: ${sides.cookie}`,
        ]);
        const answer = once(socket, 'data') as Promise<[Buffer]>;
        let isAnswered = false;
        void answer.then(() => (isAnswered = true));
        const send = (bytes: Buffer): void => {
          socket.write(`${bytes.length.toString(16)}\r\n`);
          socket.write(bytes);
          socket.write('\r\n');
        };
        send(Buffer.from(FORM_HEAD));
        const chunk = Buffer.alloc(1_000_000, 'x');
        for (let sent = 0; sent < 200 && !isAnswered; sent++) {
          send(chunk);
          if (socket.writableNeedDrain) await Promise.race([once(socket, 'drain'), answer]);
        }
        assert.match((await answer)[0].toString('latin1'), /^HTTP\/1\.1 413 /);
        socket.destroy();
        await until(async () => (await side().leftovers()).incoming.length === 0, 'the received part to go');
        assert.deepEqual(await side().leftovers(), NOTHING);
      });
    });
  }
});

async function count({ pool, table }: ImageSide): Promise<number> {
  return (await pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)).rows[0]!.n;
}
