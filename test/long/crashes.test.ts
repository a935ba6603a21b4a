import assert from 'node:assert/strict';
import { killInTheMiddle } from '../support/crashes.ts';

describe('a router that is killed in the middle of changes', () => {
  it('has each acknowledged change once in the journal, and the flag of the last one, 1,000 times', async () => {
    const { acknowledged } = await killInTheMiddle(1000);
    assert.ok(acknowledged > 1000, `${acknowledged} acknowledged`);
  }).timeout(3_600_000);
});
