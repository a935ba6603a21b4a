import assert from 'node:assert/strict';
import { play, SCRIPTED, type Scripted } from './scripts.ts';

describe('a move in an order of events that is seldom', () => {
  for (const script of Object.keys(SCRIPTED) as Scripted[]) {
    it(`goes well: ${script}`, async () => assert.equal(await play(script, false), undefined));
    it(`finds a planted mistake: ${script}`, async () =>
      assert.notEqual(await play(script, true), undefined));
  }
});
