import sharp from 'sharp';
import { ENCODERS } from '../../extracted/image-api/codecs.ts';

/** What is made in a loop: the codec alone, with the service's own settings (importing its codecs.ts sets sharp up as it has it). */
export interface Work {
  /** Files, in turn. */
  readonly paths: readonly string[];
  readonly kind: 'jpeg' | 'webp';
  readonly width: number;
  readonly atOnce: number;
  readonly seconds: number;
}

export interface Made {
  readonly done: number;
  readonly perSecond: number;
}

process.on('message', async (work: Work) => {
  process.send!(await measure(work));
});

async function measure({ paths, kind, width, atOnce, seconds }: Work): Promise<Made> {
  let [begun, done] = [0, 0];
  const start = performance.now();
  const end = start + seconds * 1000;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (performance.now() < end) {
        const path = paths[begun++ % paths.length]!;
        const picture = sharp(path, { failOn: 'error' }).resize({ width, height: 4096, fit: 'inside' });
        // The service tells its encoders how much it is; of so little JPEG chooses its codes.
        await ENCODERS[kind](picture, undefined, width ** 2).toBuffer();
        done++;
      }
    }),
  );
  return { done, perSecond: (done / (performance.now() - start)) * 1000 };
}
process.send!('ready');
