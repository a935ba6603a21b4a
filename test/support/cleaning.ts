import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBounded } from '../../extracted/image-api/bounded.ts';
import { createClean, type Cleaned } from '../../extracted/image-api/clean.ts';
import { Problem } from '../../extracted/image-api/problem.ts';
import type { Kind } from '../../extracted/image-api/wish.ts';
import { received } from './received.ts';

/** What would be stored of an upload: its bytes and what is said of it; the status it is refused with (413, 422) when it is not taken. */
export type Stored = (Pick<Cleaned, 'kind' | 'width' | 'height'> & { readonly bytes: Buffer }) | 413 | 422;

export interface Cleaning {
  readonly stored: (bytes: Buffer, kind: Kind) => Promise<Stored>;
  readonly close: () => void;
}

/** Looks at uploads and cleans them in a folder of its own, in which nothing may be left. */
export function openCleaning(): Cleaning {
  const folder = mkdtempSync(join(tmpdir(), 'clean-'));
  const clean = createClean({ bounded: createBounded({ inWork: 2, waiting: 10, patience: 10_000 }) });
  return {
    async stored(bytes, kind) {
      const path = join(folder, 'received');
      rmSync(path, { force: true });
      const upload = await received(path, bytes, kind);
      try {
        return await clean(upload, async (cleaned) => {
          const kept = readFileSync(cleaned.path);
          assert.equal(cleaned.size, kept.length);
          return { kind: cleaned.kind, width: cleaned.width, height: cleaned.height, bytes: kept };
        });
      } catch (error) {
        if (error instanceof Problem && (error.status === 413 || error.status === 422)) return error.status;
        throw error;
      } finally {
        assert.deepEqual(
          readdirSync(folder).filter((name) => name !== 'received'),
          [],
          'nothing else is left',
        );
      }
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
