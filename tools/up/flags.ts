import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

interface Flag {
  state: string;
  defaultVariant: string;
  targeting: { fractional: [variant: string, weight: number][] };
  metadata: { stage: string };
}

interface FlagFile {
  flags: Record<string, Flag>;
}

/**
 * Copies the flags to where a run may change them. Whatever the original says, the copy begins with nothing diverted: a feature that is off stays
 * off, every other one begins in canary at 0 %. Flags that are there already are left alone; those that a newer version has brought are added.
 */
export function copyFlags(original: string, copy: string): void {
  const file = JSON.parse(readFileSync(original, 'utf8')) as FlagFile;
  for (const flag of Object.values(file.flags)) begin(flag);
  if (!existsSync(copy)) return write(copy, file);
  const kept = readFlags(copy);
  if (kept === null) return;
  const missing = Object.entries(file.flags).filter(([name]) => !Object.hasOwn(kept.flags, name));
  if (missing.length > 0) write(copy, { ...kept, flags: { ...kept.flags, ...Object.fromEntries(missing) } });
}

function begin(flag: Flag): void {
  flag.state = 'ENABLED';
  if (flag.metadata.stage !== 'off') flag.metadata.stage = 'canary';
  for (const pair of flag.targeting.fractional) pair[1] = pair[0] === flag.defaultVariant ? 100 : 0;
}

/** Null when it is no flag file: the router says what is wrong with it. */
function readFlags(path: string): FlagFile | null {
  try {
    const file = JSON.parse(readFileSync(path, 'utf8')) as Partial<FlagFile> | null;
    return typeof file?.flags === 'object' && file.flags !== null ? (file as FlagFile) : null;
  } catch {
    return null;
  }
}

function write(path: string, file: FlagFile): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, `${JSON.stringify(file, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}
