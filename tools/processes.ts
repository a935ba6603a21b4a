import { readFileSync } from 'node:fs';

/** Pids of a process's descendants whose command line names `entry`. Linux: from /proc. */
export function pidsOf(ancestor: number, entry: string): number[] {
  return descendants(ancestor).filter((pid) => commandLine(pid).includes(entry));
}

/** Children, their children and so on. */
export function descendants(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number);
    return children.flatMap((child) => [child, ...descendants(child)]);
  } catch {
    return [];
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
