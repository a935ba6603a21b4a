import { generator } from '../move/random.ts';
import { abortUploads } from '../support/aborted-uploads.ts';

describe('uploads whose clients go away', () => {
  for (const data of ['shared', 'own'] as const)
    it(`leave no row, no file and no handle (data: ${data})`, async () => {
      await abortUploads(data, 150, generator(7));
    }).timeout(60_000);
});
