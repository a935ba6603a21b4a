import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Removes what was received, staged or fetched by a process that ended: files with the names of those, unchanged for `grace` milliseconds. */
export async function sweepIncoming(incoming: string, grace: number): Promise<void> {
  await mkdir(incoming, { recursive: true });
  for (const entry of await readdir(incoming)) {
    if (!/^[0-9a-f-]{36}$/.test(entry)) continue;
    const found = await stat(join(incoming, entry)).catch(() => null);
    if (found && Date.now() - Math.floor(found.ctimeMs) >= grace)
      await rm(join(incoming, entry), { force: true });
  }
}
