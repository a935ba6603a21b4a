import { generator } from '../move/random.ts';
import { abortUploads } from '../support/aborted-uploads.ts';

describe('uploads whose clients go away, at a thousand places', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 100_000);
  for (const data of ['shared', 'own'] as const)
    it(`leave no row, no file and no handle (data: ${data}, seed ${seed})`, async () => {
      await abortUploads(data, 1000, generator(seed));
    });
});
