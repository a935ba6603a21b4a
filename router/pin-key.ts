import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What pins are signed with: STRANGLER_PIN_KEY, else a random key in the state folder that only its owner can read. Several processes may start at
 * once: the first one's key, which is linked whole or not at all, is everybody's.
 */
export function pinKey(stateDir: string, env: Readonly<Record<string, string | undefined>>): string {
  if (env['STRANGLER_PIN_KEY']) return env['STRANGLER_PIN_KEY'];
  const path = join(stateDir, 'pin-key');
  const read = (): string | null => {
    try {
      return readFileSync(path, 'utf8').trim() || null;
    } catch {
      return null;
    }
  };
  const found = read();
  if (found !== null) return found;
  mkdirSync(stateDir, { recursive: true });
  const mine = randomBytes(32).toString('base64url');
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${mine}\n`, { mode: 0o600 });
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(temporary);
  }
  return read() ?? mine;
}
