import { globSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { form, formType, picturePart } from '../../test/support/hostile-requests.ts';
import type { ImageApiProcess } from '../../test/support/image-api-process.ts';
import { median } from '../report.ts';
import type { Ground } from './ground.ts';
import { under, type Figure } from './processes.ts';
import { interleaved } from './rounds.ts';
import { noisy, sample } from './samples.ts';

/** How far below multer's disk storage the service may be, and the MB that twenty uploads at once may take. */
const LEAST = 0.8;
const MEMORY = 64;
/** Processes that the memory is measured of: what each has already when it begins is not the same. */
const FRESH = 5;

/** Uploads of 5 MB beside the least application with multer, and the memory of twenty large ones at once. */
export async function uploads(ground: Ground, rounds: number): Promise<string[]> {
  const { load, uncached, multer, synced } = ground;
  const lines = ['| upload of 5 MB | who | a second | × multer | CPU ms |', '|---|---|---|---|---|'];
  const verdicts: string[] = [];
  const jpeg = await sample(4000, 3000, 0.16).jpeg({ quality: 90 }).toBuffer();
  for (const [name, bytes, isVaried] of [
    ['JPEG, 12 megapixels, each time another', jpeg, true],
    ['JPEG, 12 megapixels, the same again', jpeg, false],
    ['PNG, the same again', await noisy(5), false],
  ] as const) {
    const body = form(picturePart(bytes));
    const send = {
      method: 'POST' as const,
      paths: ['/products/1/images'],
      headers: { cookie: ground.sides.cookie, 'content-type': formType },
      body: body.toString('base64'),
      varied: isVaried ? lastDivisors(body) : null,
    };
    const measure = async ({ pid, port }: { pid: number; port: number }): Promise<Figure> => {
      const figure = await under(load, pid, { port, ...send });
      // Memory that was freed just now costs less than fresh memory, so both give theirs back.
      for (const file of readdirSync(ground.uploads)) rmSync(join(ground.uploads, file));
      if (isVaried)
        for (const blob of globSync(join(ground.sides.ownImageApi.blobDir, 'sha256/*/*'))) rmSync(blob);
      return figure;
    };
    const { figures: all, note } = await interleaved(
      { own: () => measure(uncached), others: () => measure(multer), synced: () => measure(synced) },
      rounds,
    );
    const row = `${name} (${(bytes.length / 1e6).toFixed(1)} MB)`;
    const times = (one: string, other: string): number =>
      median(all.get(one)!.map(({ perSecond }, n) => perSecond / all.get(other)![n]!.perSecond));
    for (const [key, who] of [
      ['others', 'multer diskStorage'],
      ['synced', 'the same, then synced'],
      ['own', 'image-api'],
    ] as const) {
      const figures = all.get(key)!;
      lines.push(
        `| ${row} | ${who} | ${median(figures.map(({ perSecond }) => perSecond)).toFixed(1)} | ${times(key, 'others').toFixed(2)} | ${median(figures.map(({ cpu }) => cpu)).toFixed(1)} |`,
      );
    }
    const ratio = times('own', 'others');
    verdicts.push(
      `- ${row}: ${ratio.toFixed(2)} × multer (at least ${LEAST}): ${ratio >= LEAST ? 'met' : 'MISSED'}; ${times('own', 'synced').toFixed(2)} × multer that syncs; ${note}.`,
    );
    process.stderr.write(`upload, ${name}: ${note}\n`);
  }
  const large = await noisy(25);
  const grown: number[] = [];
  for (let n = 0; n < FRESH; n++) grown.push(await growth(ground, large));
  verdicts.push(
    `- 20 uploads of 25 MB at once, by a process that has just begun: ${grown.map((each) => each.toFixed(0)).join(', ')} MB more (at most ${MEMORY}): ${Math.max(...grown) < MEMORY ? 'met' : 'MISSED'}.`,
  );
  return [...lines, '', ...verdicts];
}

/** Where the first table of a JPEG says what the finest waves are divided by: other numbers there make another picture of the same size (ITU-T T.81, B.2.4.1). */
function lastDivisors(body: Buffer): number {
  return body.indexOf(Buffer.from([0xff, 0xdb])) + 5 + 60;
}

/** MB by which the most memory during twenty uploads at once is above what a process had before that has done nothing yet. */
async function growth({ load, fresh, sides }: Ground, bytes: Buffer): Promise<number> {
  const started = await fresh();
  try {
    return await grownBy(load, started, sides.cookie, bytes);
  } finally {
    await started.stop();
  }
}

async function grownBy(
  load: Ground['load'],
  { pid, port }: ImageApiProcess,
  cookie: string,
  bytes: Buffer,
): Promise<number> {
  const read = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
  // The high-water mark begins anew (proc_pid_clear_refs(5)).
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const before = read('VmRSS');
  await under(load, pid, {
    port,
    method: 'POST',
    paths: Array.from({ length: 20 }, () => '/products/1/images'),
    headers: { cookie, 'content-type': formType },
    body: form(picturePart(bytes)).toString('base64'),
    atOnce: 20,
    seconds: 0,
  });
  return read('VmHWM') - before;
}
