import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { IN_STATEMENT } from './plants.ts';

/** A mistake that finds no place is not planted, and a storm that finds nothing then proves nothing. */
describe('a mistake that is put into a statement', () => {
  const engine = join(import.meta.dirname, '../../migrations/move');
  const source = globSync(`${engine}/*.ts`, { exclude: (path) => path.endsWith('.test.ts') })
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  for (const [plant, [place]] of Object.entries(IN_STATEMENT))
    it(`has its place: ${plant}`, () => assert.match(source, place));
});
