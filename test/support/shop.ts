import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePorts, pidsOf } from '../../tools/processes.ts';
import { runCli } from './router.ts';
import { until } from './until.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PORTS = [
  'ROUTER_PORT',
  'ADMIN_PORT',
  'MONOLITH_PORT',
  'IMAGE_API_PORT',
  'EMAIL_API_PORT',
  'SMTP_PORT',
] as const;

export interface Shop {
  readonly url: string;
  readonly monolithUrl: string;
  readonly imageApiUrl: string;
  readonly emailApiUrl: string;
  readonly adminUrl: string;
  readonly dataDir: string;
  readonly up: ChildProcess;
  /** Everything `make up` printed so far. */
  output(): string;
  cli(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** A cookie of the demo customer, got through the router. */
  login(): Promise<string>;
  /** Pids of the processes whose command line names the file, children of this shop only. */
  pidsOf(entry: string): number[];
  stop(): Promise<number | null>;
}

/** What `make up` starts, as a process of its own, on free ports and in a folder of its own; `more`: further variables; `deadline`: milliseconds until all must answer. */
export async function startShop(
  more: Readonly<Record<string, string>> = {},
  deadline = 60_000,
): Promise<Shop> {
  const dataDir = mkdtempSync(join(tmpdir(), 'shop-'));
  chmodSync(dataDir, 0o711);
  const free = await freePorts(PORTS.length);
  const ports = Object.fromEntries(PORTS.map((name, index) => [name, String(free[index])])) as Record<
    (typeof PORTS)[number],
    string
  >;
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...ports,
    DATA_DIR: dataDir,
    STRANGLER_OVERRIDE_KEY: 'a key for tests',
    ...more,
  };
  const up = spawn(process.execPath, [join(ROOT, 'tools/up.ts')], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [up.stdout, up.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(up, 'exit') as Promise<[number | null]>;
  const url = `http://127.0.0.1:${ports.ROUTER_PORT}`;
  const adminUrl = `http://127.0.0.1:${ports.ADMIN_PORT}`;
  const isReady = async (): Promise<boolean> => {
    if (up.exitCode !== null) throw new Error(`make up ended: ${output}`);
    // Ready is when it says so, and everything answers.
    const answers = await Promise.all(
      [`${url}/products`, `${adminUrl}/readyz`, `http://127.0.0.1:${ports.IMAGE_API_PORT}/readyz`].map(
        (each) =>
          fetch(each).then(
            (response) => response.ok,
            () => false,
          ),
      ),
    );
    return answers.every(Boolean);
  };
  try {
    await until(isReady, () => `the shop to be ready; it says ${output}`, deadline);
  } catch (error) {
    up.kill('SIGKILL');
    throw error;
  }
  return {
    url,
    adminUrl,
    monolithUrl: `http://127.0.0.1:${ports.MONOLITH_PORT}`,
    imageApiUrl: `http://127.0.0.1:${ports.IMAGE_API_PORT}`,
    emailApiUrl: `http://127.0.0.1:${ports.EMAIL_API_PORT}`,
    dataDir,
    up,
    output: () => output,
    cli: (...args) => runCli(args, env, ROOT),
    async login() {
      const response = await fetch(`${url}/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify({ email: 'demo@example.com', password: 'demo' }),
      });
      if (!response.ok) throw new Error(`login answered ${response.status}`);
      return response.headers
        .getSetCookie()
        .find((cookie) => cookie.startsWith('sid='))!
        .split(';')[0]!;
    },
    pidsOf: (entry) => pidsOf(up.pid!, entry),
    async stop() {
      up.kill('SIGTERM');
      const [code] = await exited;
      rmSync(dataDir, { recursive: true, force: true });
      return code;
    },
  };
}
