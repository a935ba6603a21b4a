import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from '../flags/file.ts';

/** Where the CLI and the router look for the token when STRANGLER_ADMIN_TOKEN is not set. */
export function tokenFile(stateDir: string): string {
  return join(stateDir, 'admin-token');
}

/** The admin token: from the environment, else from the state folder, where the first start puts a random one that only its owner can read. */
export function adminToken(stateDir: string, env: Readonly<Record<string, string | undefined>>): string {
  const given = env['STRANGLER_ADMIN_TOKEN'];
  if (given) return given;
  const path = tokenFile(stateDir);
  const found = readText(path);
  if ('text' in found && found.text.trim()) return found.text.trim();
  const token = randomBytes(32).toString('base64url');
  writeFileSync(path, `${token}\n`, { mode: 0o600 });
  chmodSync(path, 0o600);
  return token;
}

/** Compares in constant time; hashing first makes the lengths equal. */
export function isToken(given: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
