import { setTimeout as wait } from 'node:timers/promises';
import type { Field } from './field.ts';
import { statement } from './statement.ts';

/** Writes a second in all measurements under load. */
export const RATE = 500;

const MOST = 1000;

/**
 * Open loop: calls `send` at a fixed rate until the signal, whether or not earlier calls have ended, so that what is slow delays nothing
 * later and is not left out of the figures. On a machine that can't do so many, at most a thousand are under way, and what is due waits. Resolves when all have ended; rejects when one did.
 */
export async function atRate(
  perSecond: number,
  signal: AbortSignal,
  send: (n: number, due: number) => Promise<void>,
): Promise<void> {
  const start = performance.now();
  const open = new Set<Promise<void>>();
  let failure: Error | undefined;
  for (let sent = 0; !signal.aborted && !failure;) {
    const due = Math.floor(((performance.now() - start) / 1000) * perSecond);
    for (; sent < due && open.size < MOST; sent += 1) {
      const one: Promise<void> = send(sent, start + (sent / perSecond) * 1000)
        .catch((error: Error) => void (failure ??= error))
        .finally(() => open.delete(one));
      open.add(one);
    }
    await wait(1);
  }
  await Promise.all(open);
  if (failure) throw failure;
}

/** Writes rows as applications do that believe what the fence says: elsewhere when it says so. */
export function writerAtHome({
  old,
  young,
}: Pick<Field, 'old' | 'young'>): (id: number, alt: string) => Promise<void> {
  const atNew = new Set<number>();
  return async (id, alt) => {
    for (;;) {
      const isNew = atNew.has(id);
      try {
        await statement(isNew ? young : old, {
          name: 'write',
          text: `UPDATE ${isNew ? 'pictures' : 'photos'} SET alt = $2 WHERE id = $1`,
          values: [id, alt],
        });
        return;
      } catch (error) {
        if ((error as { code?: string }).code !== 'SK421') throw error;
        if (isNew) atNew.delete(id);
        else atNew.add(id);
        await wait(1);
      }
    }
  };
}

/** The value below which a share of them lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
