import { dirname, join, resolve } from 'node:path';

/** Folder of the router's own state: DATA_DIR, else `.data` beside the config. */
export function stateFolder(config: string, env: Readonly<Record<string, string | undefined>>): string {
  return env['DATA_DIR'] ? resolve(env['DATA_DIR']) : join(dirname(resolve(config)), '.data');
}
