import { availableParallelism } from 'node:os';

/** What the shop lets pictures cost. Each may be given to `imageRoutes`. */
export interface ImageLimits {
  /** Bytes of an uploaded file. */
  readonly maxBytes: number;
  /** Pixels of an uploaded picture, by its header: a small file can unfold to a huge one. */
  readonly maxPixels: number;
  /** Characters of a description; the column takes 1000. */
  readonly maxAlt: number;
  /** Pictures in work at once. */
  readonly inWork: number;
  /** Pictures that may wait for their turn; the next one is refused at once. */
  readonly waiting: number;
  /** Milliseconds one may wait. */
  readonly patience: number;
  /** Seconds one picture may be in work: some files are made to be slow. */
  readonly workTime: number;
}

export const IMAGE_LIMITS: ImageLimits = {
  maxBytes: 25 * 2 ** 20,
  maxPixels: 40_000_000,
  maxAlt: 1000,
  inWork: Math.max(2, 2 * Math.floor(availableParallelism() / 2)),
  waiting: 64,
  patience: 10_000,
  workTime: 60,
};
