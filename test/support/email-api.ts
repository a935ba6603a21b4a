import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { until } from './until.ts';

const FOLDER = join(import.meta.dirname, '../../extracted/email-api');

/** The email-api as a process. */
export interface EmailApi {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  /** Everything it said. */
  output(): string;
  /** Where its probes are, as soon as it serves. */
  url(): Promise<string>;
  /** Resolves when it takes jobs. */
  ready(): Promise<void>;
  metrics(): Promise<string>;
  kill(): Promise<void>;
  /** SIGTERM; answers the exit code. */
  stop(): Promise<number | null>;
}

export function runEmailApi(env: Readonly<Record<string, string>>): EmailApi {
  const { child, output, exited } = run('main.ts', [], {
    EMAIL_API_PORT: '0',
    EMAIL_API_POLL_MS: '20',
    ...env,
  });
  const port = (): string | undefined => /"port":(\d+)/.exec(output())?.[1];
  const url = async (): Promise<string> => {
    await until(
      () => port() !== undefined,
      () => `the email-api to start; it says ${output()}`,
      60_000,
    );
    return `http://127.0.0.1:${port()}`;
  };
  return {
    child,
    exited,
    output,
    url,
    async ready() {
      const base = await url();
      await until(
        async () => (await fetch(`${base}/readyz`)).ok,
        () => `the email-api to be ready; it says ${output()}`,
        60_000,
      );
    },
    metrics: async () => (await fetch(`${await url()}/metrics`)).text(),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

/** Runs the command for dead letters; answers its exit code and what it wrote. */
export async function deadLetters(
  env: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<{ code: number | null; output: string }> {
  const { output, exited } = run('dead-letters.ts', args, env);
  const code = await exited;
  return { code, output: output() };
}

function run(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): { child: ChildProcess; output: () => string; exited: Promise<number | null> } {
  const child = spawn(process.execPath, [join(FOLDER, file), ...args], {
    env: { ...process.env, LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, output: () => text, exited: once(child, 'close').then(([code]) => code as number | null) };
}
