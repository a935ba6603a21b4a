import { readShape } from './columns.ts';
import { Refused } from './handover.ts';
import type { Move } from './side.ts';

/** A table is not what it was when the move started, or when its columns were last accepted. */
export class Changed extends Refused {}

/**
 * Rejects with `Changed` when a table has other columns: the other side may lack them, and rows that were there before are marked for sending by nobody. What would
 * be handed over then is less than the row, and what would be compared is not the same.
 */
export async function refuseChanged({ description, from, to }: Move): Promise<void> {
  for (const [side, table] of [
    [from, description.fromTable],
    [to, description.toTable],
  ] as const) {
    const { fingerprint } = await readShape(side.pool, table);
    const { rows } = await side.pool.query<{ fingerprint: string }>(
      'SELECT fingerprint FROM strangler.move WHERE name = $1',
      [description.name],
    );
    if (fingerprint !== side.fingerprint || (rows[0] && rows[0].fingerprint !== fingerprint))
      throw new Changed(
        `${description.name}: the columns of ${table} at ${side.name} changed. Change both sides, adapt the mapping, then: strangler move start ${description.name} --accept-columns, and run it again`,
      );
  }
}
