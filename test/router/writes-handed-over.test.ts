import assert from 'node:assert/strict';
import { movingBed, noted, send, type MovingBed } from '../support/moving.ts';
import { until } from '../support/until.ts';

/** As the database has it: at most one side may write, and while it is handed over none. */
interface Bucket {
  home: string;
  epoch: number;
  isMoving: boolean;
}

const BUCKETS = 8;
const CLIENTS = 12;
const HANDOVERS = 60;

describe('writes while buckets are handed over to and fro', () => {
  let bed: MovingBed;
  let seed: number;
  beforeEach(async () => {
    bed = await movingBed();
    seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  });
  afterEach(() => bed.close());

  it('are each done once at a home of their time, or not at all and the client knows', async () => {
    let state = seed;
    const random = (): number => (state = (state * 48_271 + 11) % 2_147_483_647) / 2_147_483_647;
    const buckets = Array.from({ length: BUCKETS }, (): Bucket => ({
      home: 'monolith',
      epoch: 1,
      isMoving: false,
    }));
    const bucketOf = (path: string): Bucket => buckets[Number(path.split('/')[2]) % BUCKETS]!;
    for (const side of [bed.monolith, bed.service])
      side.home = (path) => {
        const { home, epoch, isMoving } = bucketOf(path);
        if (isMoving) return `${home}; epoch=${epoch}; moving`;
        return home === side.name ? null : `${home}; epoch=${epoch}`;
      };

    let isOver = false;
    const told: { line: string; status: number }[] = [];
    const client = async (number: number): Promise<void> => {
      for (let count = 0; !isOver; count++) {
        const path = `/products/${Math.floor(random() * 40)}/images?write=${number}-${count}`;
        const body = Buffer.alloc([0, 1, 2000, 200_000][Math.floor(random() * 4)]!, `${number}-${count}`);
        const { status } = await send(bed.origin, `POST ${path}`, { body, isChunked: random() < 0.5 });
        told.push({ line: noted('POST', path, body), status });
      }
    };
    const clients = Array.from({ length: CLIENTS }, (_, number) => client(number));
    for (let count = 0; count < HANDOVERS; count++) {
      const bucket = buckets[Math.floor(random() * BUCKETS)]!;
      Object.assign(bucket, {
        home: bucket.home === 'monolith' ? 'image-api' : 'monolith',
        epoch: bucket.epoch + 1,
        isMoving: true,
      });
      const before = told.length;
      await until(() => told.length > before + 3, 'writes in the middle of a handover');
      bucket.isMoving = false;
      await until(() => told.length > before + 6, 'some writes between handovers');
    }
    isOver = true;
    await Promise.all(clients);

    const done = [...bed.monolith.done, ...bed.service.done].toSorted();
    const acknowledged = told.filter(({ status }) => status === 201).map(({ line }) => line);
    assert.deepEqual(done, acknowledged.toSorted(), `seed ${seed}`);
    assert.ok(told.length > 200 && bed.writes.view().misdirected > 10, `seed ${seed}: too little happened`);
    const refused = told.filter(({ status }) => status !== 201);
    assert.deepEqual(
      refused.filter(({ status }) => status !== 503),
      [],
      `seed ${seed}`,
    );
    assert.ok(
      refused.length <= told.length / 20,
      `seed ${seed}: ${refused.length} of ${told.length} refused`,
    );
  });
});
