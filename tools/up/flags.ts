import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

interface FlagFile {
  flags: Record<
    string,
    {
      state: string;
      defaultVariant: string;
      targeting: { fractional: [variant: string, weight: number][] };
      metadata: { stage: string };
    }
  >;
}

/**
 * Copies the flags to where a run may change them, unless they are there already. Whatever the original says, the copy begins with every feature
 * in canary at 0 %: all is set up, and nothing is diverted yet.
 */
export function copyFlags(original: string, copy: string): void {
  if (existsSync(copy)) return;
  const file = JSON.parse(readFileSync(original, 'utf8')) as FlagFile;
  for (const flag of Object.values(file.flags)) {
    flag.state = 'ENABLED';
    flag.metadata.stage = 'canary';
    for (const pair of flag.targeting.fractional) pair[1] = pair[0] === flag.defaultVariant ? 100 : 0;
  }
  mkdirSync(dirname(copy), { recursive: true });
  writeFileSync(`${copy}.new`, `${JSON.stringify(file, null, 2)}\n`);
  renameSync(`${copy}.new`, copy);
}
