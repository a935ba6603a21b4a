import assert from 'node:assert/strict';
import type { Plant } from './plants.ts';
import { storm, type Field } from './storm.ts';
import { isClean } from './verdict.ts';

/** Storms until one of them shows a planted mistake; the machine may be too busy for the first to do so. */
export async function assertFound(field: Field, plant: Plant, seconds: number): Promise<void> {
  for (let seed = 1; seed <= 20; seed += 1) {
    const outcome = await storm(field, { seconds, seed, plant });
    if (!isClean(outcome)) return;
  }
  assert.fail(`20 storms did not show: ${plant}`);
}
