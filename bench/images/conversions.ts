import { join } from 'node:path';
import { cpuOf } from '../load.ts';
import { median } from '../report.ts';
import type { Ground } from './ground.ts';
import { ROUND, under } from './processes.ts';
import { interleaved, type Measure } from './rounds.ts';
import { photo, screen, webPicture } from './samples.ts';

const KINDS = ['jpeg', 'webp'] as const;
/** What each of the service's own qualities is, in the words of ipx. */
const QUALITY = { jpeg: 82, webp: 80 } as const;
/** How far below raw sharp the service may be. */
const LEAST = 0.9;

/** Every conversion by everybody, in interleaved rounds; lines of a table, and a sentence for each that is held to something. */
export async function conversions(ground: Ground, rounds: number, atOnce: number): Promise<string[]> {
  const lines = ['| to 320 px | who | pictures/s | × raw sharp | CPU ms/picture |', '|---|---|---|---|---|'];
  const verdicts: string[] = [];
  for (const [name, file, make] of [
    ['12-megapixel JPEG', 'photo.jpeg', photo],
    ['2-megapixel PNG', 'screen.png', screen],
    ['4-megapixel WebP', 'web.webp', webPicture],
  ] as const) {
    // The service makes one picture for all equal requests in flight: with fewer than are asked at once, some of its answers would cost nothing.
    const files = Array.from({ length: 2 * atOnce }, (_, n) => `${n + 1}-${file}`);
    const paths: string[] = [];
    for (const [n, each] of files.entries()) paths.push(await ground.add(await make(n + 1), each));
    for (const kind of KINDS) {
      const who = contestants(ground, paths, files, kind, atOnce);
      const { figures, note } = await interleaved(who, rounds);
      const row = `${name} → ${kind}`;
      process.stderr.write(`${row}: ${note}\n`);
      const ratioOf = (each: string, to = 'raw sharp'): number =>
        median(figures.get(each)!.map(({ perSecond }, n) => perSecond / figures.get(to)![n]!.perSecond));
      for (const [each, own] of figures)
        lines.push(
          `| ${row} | ${each} | ${median(own.map(({ perSecond }) => perSecond)).toFixed(1)} | ${ratioOf(each).toFixed(2)} | ${median(own.map(({ cpu }) => cpu)).toFixed(1)} |`,
        );
      if (!figures.has('nginx image_filter'))
        lines.push(
          `| ${row} | nginx image_filter | ${ground.nginx ? 'can not: it keeps the format' : 'missing'} | – | – |`,
        );
      const own = ratioOf('image-api');
      const ahead = [...figures.keys()].filter((each) => !['raw sharp', 'image-api'].includes(each));
      const behind = ahead.filter((each) => ratioOf('image-api', each) <= 1);
      verdicts.push(
        `- ${row}: ${own.toFixed(2)} × raw sharp (at least ${LEAST}): ${own >= LEAST ? 'met' : 'MISSED'}; ahead of ${ahead.join(' and ')}: ${behind.length === 0 ? 'met' : `MISSED (${behind.join(', ')})`}; ${note}.`,
      );
    }
  }
  return [...lines, '', ...verdicts];
}

function contestants(
  ground: Ground,
  ids: readonly string[],
  files: readonly string[],
  kind: (typeof KINDS)[number],
  atOnce: number,
): Record<string, Measure> {
  const { load, uncached, ipx, nginx, sharp, pictures } = ground;
  return {
    'raw sharp': async () => {
      const pid = sharp.child.pid!;
      const before = cpuOf(pid);
      const { done, perSecond } = await sharp.ask({
        paths: files.map((file) => join(pictures, file)),
        kind,
        width: 320,
        atOnce,
        seconds: ROUND,
      });
      return { perSecond, cpu: (cpuOf(pid) - before) / 1000 / done };
    },
    'image-api': () =>
      under(load, uncached.pid, {
        port: uncached.port,
        paths: ids.map((id) => `${id}?w=320&format=${kind}`),
        atOnce,
      }),
    ipx: () =>
      under(load, ipx.pid, {
        port: ipx.port,
        paths: files.map((file) => `/w_320,f_${kind},q_${QUALITY[kind]}/${file}`),
        atOnce,
      }),
    ...(nginx && files[0]!.endsWith(kind)
      ? {
          'nginx image_filter': () =>
            under(load, nginx.pid, { port: nginx.port, paths: files.map((file) => `/${file}`), atOnce }),
        }
      : {}),
  };
}
