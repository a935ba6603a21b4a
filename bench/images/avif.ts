import { median } from '../report.ts';
import type { Ground } from './ground.ts';
import { under } from './processes.ts';
import { photo } from './samples.ts';

/** The last one is about as much as may be in work. */
const WIDTHS = [160, 320, 640, 1280, 2560, 3200];
/** How much more CPU an AVIF may take than the same picture as WebP. */
const MOST = 4;

/** The CPU of an AVIF beside that of a WebP, by the size of what comes out. */
export async function avifCosts(ground: Ground, rounds: number): Promise<string[]> {
  // Two, as two are asked for at once, and equal requests are one picture.
  const pair = [
    await ground.add(await photo(3), 'avif-3.jpeg'),
    await ground.add(await photo(4), 'avif-4.jpeg'),
  ];
  const { load, uncached } = ground;
  const lines = ['| width | WebP CPU ms | AVIF CPU ms | × WebP |', '|---|---|---|---|'];
  let worst = 0;
  for (const width of WIDTHS) {
    const cost = async (format: string): Promise<number> => {
      // Twelve of them, as CPU is counted in hundredths of a second.
      const paths = Array.from({ length: 12 }, (_, n) => `${pair[n % 2]!}?w=${width}&format=${format}`);
      return (await under(load, uncached.pid, { port: uncached.port, paths, atOnce: 2, seconds: 0 })).cpu;
    };
    const [webp, avif]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      webp.push(await cost('webp'));
      avif.push(await cost('avif'));
    }
    const ratio = median(avif.map((each, n) => each / webp[n]!));
    worst = Math.max(worst, ratio);
    lines.push(
      `| ${width} | ${median(webp).toFixed(1)} | ${median(avif).toFixed(1)} | ${ratio.toFixed(2)} |`,
    );
  }
  return [
    ...lines,
    '',
    `- AVIF: ${worst.toFixed(2)} × WebP at the most (at most ${MOST}): ${worst <= MOST ? 'met' : 'MISSED'}.`,
  ];
}
