import assert from 'node:assert/strict';
import { killInTheMiddle } from '../support/crashes.ts';

describe('a router that is killed in the middle of changes', () => {
  it('has each acknowledged change once in the journal, and the flag of the last one, 8 times', async () => {
    const { acknowledged, cut } = await killInTheMiddle(8);
    assert.ok(acknowledged > 8 && cut > 8, `${acknowledged} acknowledged, ${cut} cut`);
  }).timeout(120_000);
});
