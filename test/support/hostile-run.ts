import assert from 'node:assert/strict';
import sharp from 'sharp';
import { photo } from '../contract/pictures.ts';
import { hostilePictures } from './hostile-pictures.ts';
import {
  form,
  formType,
  hostileForms,
  hostileNames,
  hostileQueries,
  picturePart,
} from './hostile-requests.ts';
import { startImageApi, type Answer, type ImageApiProcess } from './image-api-process.ts';
import type { ImageSides } from './image-sides.ts';
import { until } from './until.ts';

export interface HostileRun {
  /** At how many places each kind is cut short. */
  readonly cuts: number;
  /** With what takes seconds to make. */
  readonly isFull: boolean;
  /** Hostile file names. */
  readonly names: number;
}

interface Shot {
  readonly name: string;
  fire(): Promise<Answer>;
  /** Throws what is wrong with an answer of 2xx. */
  check(answer: Answer): Promise<void>;
}

/** Milliseconds that the probe may take at any time, and MB that the process may have. */
const PROBE = 500;
const MEMORY = 600;

/**
 * Everything that strangers may send, at the service as a process: one after the other, then 50 at once. Each is refused with a 4xx or gives a right
 * picture; nothing is left of it. Returns what it took, for who wants to read it.
 */
export async function hostileRun(
  sides: ImageSides,
  data: 'shared' | 'own',
  { cuts, isFull, names }: HostileRun,
): Promise<{ shots: number; peak: number; slowestProbe: number }> {
  const service = await startImageApi(sides, data);
  const side = data === 'own' ? sides.ownImageApi : sides.imageApi;
  let slowestProbe = 0;
  try {
    const shots = await shotsAt(service, sides.cookie, await hostilePictures(cuts, isFull), names, isFull);
    const start = count(service.handles());
    const faults: string[] = [];
    const fire = async ({ name, fire, check }: Shot): Promise<void> => {
      try {
        const answer = await fire();
        if (answer.status < 300) await check(answer);
        else if (answer.status < 400 || answer.status >= 500)
          faults.push(`${name}: ${answer.status} ${answer.body.toString('utf8', 0, 200)}`);
        else
          assert.match(String(answer.headers['content-type'] ?? 'none'), /^application\/problem\+json|^none/);
      } catch (error) {
        faults.push(`${name}: ${(error as Error).message}`);
      }
    };
    let isOver = false;
    const probing = (async () => {
      while (!isOver) {
        const begun = performance.now();
        const { status } = await service.ask('GET', '/livez');
        slowestProbe = Math.max(slowestProbe, performance.now() - begun);
        if (status !== 200) faults.push(`/livez: ${status}`);
        await new Promise((done) => setTimeout(done, 50));
      }
    })();
    for (const lanes of [1, 50]) {
      const left = shots.values();
      await Promise.all(
        Array.from({ length: lanes }, async () => {
          for (const shot of left) await fire(shot);
        }),
      );
    }
    isOver = true;
    await probing;
    assert.deepEqual(faults, [], service.output());
    assert.ok(service.isAlive());
    // Connections to the database are kept for ten seconds when they are idle; the short run does not wait for that.
    const pool = isFull ? 0 : 20;
    await until(
      () => {
        const { files, sockets } = count(service.handles());
        return files <= start.files && sockets <= start.sockets + pool;
      },
      () => `${JSON.stringify(start)} handles, there are ${service.handles().join(', ')}`,
      20_000,
    );
    assert.deepEqual(await side.leftovers(), { incoming: [], withoutRow: [], withoutFile: [] });
    const told = {
      shots: shots.length,
      peak: Math.round(service.peak()),
      slowestProbe: Math.round(slowestProbe),
    };
    assert.ok(told.peak < MEMORY && told.slowestProbe < PROBE, JSON.stringify(told));
    return told;
  } finally {
    await service.stop();
  }
}

function count(handles: readonly string[]): { files: number; sockets: number } {
  const sockets = handles.filter((handle) => handle.startsWith('socket:')).length;
  return { files: handles.length - sockets, sockets };
}

async function shotsAt(
  { ask }: ImageApiProcess,
  cookie: string,
  pictures: Awaited<ReturnType<typeof hostilePictures>>,
  names: number,
  isFull: boolean,
): Promise<Shot[]> {
  const upload = (body: Buffer, type: string | null = formType): Promise<Answer> =>
    ask('POST', '/products/1/images', { cookie, ...(type === null ? {} : { 'content-type': type }) }, body);
  /** What was taken is served as what it is said to be. */
  const isServed = async ({ body }: Answer): Promise<void> => {
    const said = JSON.parse(body.toString()) as {
      url: string;
      contentType: string;
      width: number;
      height: number;
    };
    const picture = await ask('GET', said.url);
    assert.equal(picture.status, 200);
    assert.equal(picture.headers['content-type'], said.contentType);
    const format = await decoded(picture.body);
    assert.deepEqual(format, {
      kind: said.contentType.slice('image/'.length),
      width: said.width,
      height: said.height,
    });
    // Each format has a longest side of its own, so what is long is asked for in all of them.
    const isLong = Math.max(said.width, said.height) > 16_000;
    for (const query of isLong ? ['jpeg', 'png', 'webp', 'avif'].map((kind) => `format=${kind}`) : ['w=9']) {
      const version = await ask('GET', `${said.url}?${query}`);
      assert.equal(version.status, 200, `?${query}: ${version.body.toString('utf8', 0, 200)}`);
      await decoded(version.body);
    }
  };
  const small = await photo(16, 12);
  const { body } = await upload(form(picturePart(await photo(320, 240))));
  const { url } = JSON.parse(body.toString()) as { url: string };
  const isWanted =
    (query: string) =>
    async (answer: Answer): Promise<void> => {
      const { width, height, kind } = await decoded(answer.body);
      assert.equal(answer.headers['content-type'], `image/${kind}`);
      const [w, h] = ['w', 'h'].map((name) => Number(new URLSearchParams(query).get(name) ?? Number.NaN));
      if (w && h && !query.includes('inside')) assert.deepEqual([width, height], [w, h]);
      else assert.ok(width <= 4096 && height <= 4096);
    };
  return [
    ...pictures.map(({ name, file, bytes }) => ({
      name,
      fire: () => upload(form(picturePart(bytes, file))),
      check: isServed,
    })),
    ...hostileForms(small).map(([name, type, bytes]) => ({
      name,
      fire: () => upload(bytes, type),
      check: isServed,
    })),
    ...hostileNames(names).map((file) => ({
      name: `the file name ${JSON.stringify(file)}`,
      fire: () => upload(form(picturePart(small, file))),
      check: isServed,
    })),
    ...hostileQueries(isFull).map((query) => ({
      name: `?${query.slice(0, 80)}`,
      // What a request line can not have is sent as browsers send it.
      fire: () => ask('GET', `${url}?${query.replaceAll(/[^!-~]/gu, encodeURIComponent)}`),
      check: isWanted(query),
    })),
    ...[
      '%00',
      '%ff',
      '../../etc/passwd',
      '..%2f1',
      '1%2fmeta',
      '-1',
      '1e3',
      '0x1',
      '9'.repeat(300),
      "1'--",
    ].map((id) => ({
      name: `the id ${id}`,
      fire: () => ask('GET', `/images/${id}?w=8`),
      check: async () => assert.fail('there is no such picture'),
    })),
  ];
}

/** Kind and sides of a picture that can be decoded to its last pixel. */
async function decoded(bytes: Buffer): Promise<{ kind: string; width: number; height: number }> {
  const picture = sharp(bytes, { failOn: 'error', limitInputPixels: false });
  const { format, compression } = await picture.metadata();
  const { info } = await picture.raw().toBuffer({ resolveWithObject: true });
  return { kind: compression === 'av1' ? 'avif' : format!, width: info.width, height: info.height };
}
