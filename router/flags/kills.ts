import { join } from 'node:path';
import { readText, replaceFile } from './file.ts';

/** Kills of a router that can't write its flags: by feature name, with who and why. */
export type Kills = Readonly<
  Record<string, { readonly who: string; readonly why: string; readonly at: string }>
>;

/**
 * Kills are kept in the state folder when the flag file may not be written (a ConfigMap) or is broken at the moment: the emergency
 * brake must work then too. They win until `resume`, and show as drift from the file.
 */
export function killsFile(stateDir: string): {
  readonly path: string;
  read(): Kills;
  write(kills: Kills): void;
} {
  const path = join(stateDir, 'kills.json');
  return {
    path,
    read() {
      const found = readText(path);
      return 'text' in found ? (JSON.parse(found.text) as Kills) : {};
    },
    write: (kills) => replaceFile(path, `${JSON.stringify(kills, null, 2)}\n`, 0o600),
  };
}
