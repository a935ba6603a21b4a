import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { avifCosts } from './avif.ts';
import { cachedHits } from './cached.ts';
import { conversions } from './conversions.ts';
import { openGround } from './ground.ts';
import { ROUND } from './processes.ts';
import { uploads } from './uploads.ts';

/*
 * `make bench-images`: the image-api through HTTP beside the codec alone (raw sharp), ipx and nginx's image_filter, in one run and in interleaved
 * rounds, ratios taken round by round; then a hit of its cache, uploads, and what AVIF costs. All have the same stored bytes and qualities.
 */

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    'at-once': { type: 'string', default: '4' },
    only: { type: 'string' },
    'no-report': { type: 'boolean', default: false },
  },
});
const [rounds, atOnce] = [values.rounds, values['at-once']].map(Number) as [number, number];
const before = loadavg()[0]!;
const ground = await openGround();
const parts: Readonly<Record<string, () => Promise<string[]>>> = {
  conversions: () => conversions(ground, rounds, atOnce),
  cached: () => cachedHits(ground, rounds),
  uploads: () => uploads(ground, rounds),
  // Of each width two dozen pictures a round.
  avif: () => avifCosts(ground, Math.ceil(rounds / 4)),
};
try {
  const lines = [
    `${cpus()[0]!.model}, ${cpus().length} cores; ${versions()}; ${rounds} interleaved rounds of ${ROUND} s, medians, ${atOnce} at once; load before ${before.toFixed(1)}.`,
    ...(ground.note ? ['', `${ground.note}.`] : []),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  for (const [name, measure] of Object.entries(parts)) {
    if (values.only && !values.only.split(',').includes(name)) continue;
    const measured = ['', ...(await measure())];
    // Now: should the next part fail, this one took minutes.
    process.stdout.write(`${measured.join('\n')}\n`);
    lines.push(...measured);
  }
  const text = lines.join('\n');
  if (!values['no-report'] && !values.only) {
    const page = join(import.meta.dirname, 'README.md');
    const [head] = readFileSync(page, 'utf8').split('<!-- measured -->');
    writeFileSync(page, `${head}<!-- measured -->\n\n${text}\n`);
  }
} finally {
  await ground.stop();
}

/** Everybody's, and the libvips that each brings. */
function versions(): string {
  const ofIpx = createRequire(import.meta.resolve('ipx'));
  const theirs = (ofIpx('sharp') as typeof sharp).versions;
  const nginx = /nginx\/[\d.]+/.exec(spawnSync('nginx', ['-v'], { encoding: 'utf8' }).stderr ?? '')?.[0];
  return `Node ${process.version}, sharp ${sharp.versions.sharp} (libvips ${sharp.versions.vips}), ipx with sharp ${theirs.sharp} (libvips ${theirs.vips})${nginx ? `, ${nginx} (libgd)` : ''}`;
}
