import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** The repository. */
export const ROOT = resolve(import.meta.dirname, '../..');

const colour = process.stdout.isTTY && !process.env['NO_COLOR'];
export const paint = (code: string, text: string): string =>
  colour ? `\u001b[${code}m${text}\u001b[0m` : text;

export const chapter = (text: string): void => console.log(`\n${paint('1;36', text)}`);
export const tell = (text: string): void => console.log(`  ${text}`);
export const quote = (text: string): void => {
  for (const line of text.trimEnd().split('\n')) tell(paint('2', `│ ${line}`));
};

/** States something that was checked. Throws when it is not so, which ends the demo. */
export function holds(what: string, condition: boolean): void {
  if (!condition) throw new Error(`does not hold: ${what}`);
  tell(`${paint('32', '✔')} ${what}`);
}

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command of the CLI, and shows that it does. Rejects when it ends with another code than `expected`. */
export async function strangler(
  env: NodeJS.ProcessEnv,
  args: readonly string[],
  expected = 0,
  shown: 'shown' | 'unseen' = 'shown',
): Promise<Said> {
  if (shown === 'shown')
    tell(paint('2', `$ strangler ${args.map((arg) => (arg.includes(' ') ? `"${arg}"` : arg)).join(' ')}`));
  const child = spawn(process.execPath, [join(ROOT, 'cli/main.ts'), ...args], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  if (code !== expected) throw new Error(`strangler ${args[0]} exited with ${code}: ${err || out}`);
  return { code, out, err };
}

/** Resolves when the condition holds; rejects after `deadline` milliseconds. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadline: number,
): Promise<void> {
  for (const end = Date.now() + deadline; !(await condition()); await wait(25))
    if (Date.now() > end) throw new Error(`waited ${deadline / 1000} s in vain for ${what}`);
}
