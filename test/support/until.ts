import { setTimeout as wait } from 'node:timers/promises';

/**
 * Polls until a condition holds; rejects after `deadline` milliseconds with what was waited for. The pause between two looks only spares
 * the processor: nothing depends on its length.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  deadline = 10_000,
): Promise<void> {
  const end = Date.now() + deadline;
  while (!(await condition())) {
    if (Date.now() > end)
      throw new Error(`waited ${deadline} ms in vain for ${typeof what === 'string' ? what : what()}`);
    await wait(20);
  }
}
