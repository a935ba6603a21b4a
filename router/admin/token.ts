import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from '../flags/file.ts';

/** Where the CLI and the router look for the token when STRANGLER_ADMIN_TOKEN is not set. */
export function tokenFile(stateDir: string): string {
  return join(stateDir, 'admin-token');
}

type Env = Readonly<Record<string, string | undefined>>;

/** The admin token: from the environment, else from the state folder, where the first start puts a random one that only its owner can read. */
export function adminToken(stateDir: string, env: Env): string {
  return env['STRANGLER_ADMIN_TOKEN'] || kept(tokenFile(stateDir));
}

/** The token of applications, which may evaluate flags and report observations; from STRANGLER_APP_TOKEN, else from `app-token` in the state folder. */
export function appToken(stateDir: string, env: Env): string {
  return env['STRANGLER_APP_TOKEN'] || kept(join(stateDir, 'app-token'));
}

function kept(path: string): string {
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
