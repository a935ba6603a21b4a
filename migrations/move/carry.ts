import type { Blob } from './blobs.ts';
import type { MoveDescription } from './description.ts';
import { keepPaths } from './garbage.ts';
import type { Pending } from './pending.ts';
import type { Side } from './side.ts';

/** Blobs go before the rows that need them. Answers the rows whose blob could not be brought, and why. */
export async function carryBlobs(
  description: MoveDescription,
  { blobs }: Side,
  target: Side,
  pending: readonly Pending[],
): Promise<Map<Pending, string>> {
  const failures = new Map<Pending, string>();
  if (!blobs) return failures;
  const wanted = new Map<Blob, Pending>();
  for (const one of pending) {
    if (one.row === null) continue;
    try {
      const blob = blobs.of(one.row);
      if (blob) wanted.set(blob, one);
    } catch (error) {
      failures.set(one, (error as Error).message);
    }
  }
  if (target.blobs?.path)
    await keepPaths(
      description,
      target,
      [...wanted.keys()].map(({ path }) => path),
    );
  for (const [blob, { message }] of await blobs.carry(wanted.keys()))
    failures.set(wanted.get(blob)!, `its blob could not be brought: ${message}`);
  return failures;
}
