import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median } from '../report.ts';
import type { Ground } from './ground.ts';
import { under } from './processes.ts';
import { interleaved } from './rounds.ts';
import { photo, screen } from './samples.ts';

/** How much more CPU a hit may take than a file that Express serves. */
const MOST = 1.5;
/** Pictures that are each asked for once. */
const DISTINCT = 12;

/** A hit of the cache beside a static file of the same bytes, and the cache's price where each picture is asked for once. */
export async function cachedHits(ground: Ground, rounds: number): Promise<string[]> {
  const { load, cached, files } = ground;
  const path = `${await ground.add(await photo(2), 'hit.jpeg')}?w=320&format=webp`;
  writeFileSync(join(ground.pictures, 'hit.webp'), (await cached.ask('GET', path)).body);
  const who = {
    hits: () => under(load, cached.pid, { port: cached.port, paths: [path], atOnce: 16 }),
    files: () => under(load, files.pid, { port: files.port, paths: ['/hit.webp'], atOnce: 16 }),
  };
  const { figures, note } = await interleaved(who, rounds);
  const cpuOf = (each: keyof typeof who): number[] => figures.get(each)!.map(({ cpu }) => cpu * 1000);
  const [hits, others] = [cpuOf('hits'), cpuOf('files')];
  const ratio = median(hits.map((each, n) => each / others[n]!));

  const paths: string[] = [];
  for (let seed = 10; seed < 10 + DISTINCT; seed++)
    paths.push(await ground.add(await screen(seed), `distinct-${seed}.png`));
  const once = { paths: paths.map((each) => `${each}?w=320&format=webp`), atOnce: 4, seconds: 0 };
  const cold = await under(load, cached.pid, { port: cached.port, ...once });
  const without = await under(load, ground.uncached.pid, { port: ground.uncached.port, ...once });
  return [
    '| the same bytes | CPU µs/request | × express.static |',
    '|---|---|---|',
    `| express.static | ${median(others).toFixed(0)} | 1.00 |`,
    `| image-api, in its cache | ${median(hits).toFixed(0)} | ${ratio.toFixed(2)} |`,
    '',
    `- a hit: ${ratio.toFixed(2)} × express.static (at most ${MOST}): ${ratio <= MOST ? 'met' : 'MISSED'}; ${note}.`,
    `- ${DISTINCT} distinct 2-megapixel PNGs, each asked for once: ${cold.cpu.toFixed(1)} ms CPU a picture with the cache on, ${without.cpu.toFixed(1)} without.`,
  ];
}
