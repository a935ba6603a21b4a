import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './until.ts';

const MAIN = resolve(import.meta.dirname, '../../cli/main.ts');

export interface RouterProcess {
  readonly url: string;
  readonly adminUrl: string;
  readonly dir: string;
  readonly token: string;
  readonly child: ChildProcess;
  /** Everything it has logged so far. */
  output(): string;
  /** Asks the admin API with the token. */
  admin(
    path: string,
    init?: RequestInit,
  ): Promise<{ status: number; etag: string; body: Record<string, unknown> }>;
  /** Changes a feature as it is now. */
  change(
    path: string,
    body: Record<string, unknown>,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  /** Runs a verb of the CLI against this router. */
  cli(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>;
  kill(signal: NodeJS.Signals): Promise<number | null>;
  stop(): Promise<void>;
}

/** Starts `strangler serve` as a process of its own, in `dir` (default: a temporary folder that stop() removes). */
export async function startRouter(options: {
  yaml: string;
  flags: string;
  env?: Record<string, string>;
  dir?: string;
}): Promise<RouterProcess> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'router-'));
  writeFileSync(join(dir, 'strangler.yaml'), options.yaml);
  writeFileSync(join(dir, 'flags.json'), options.flags);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    DATA_DIR: join(dir, '.data'),
    ADMIN_PORT: '',
    LOG_LEVEL: 'info',
    ...options.env,
  };
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', join(dir, 'strangler.yaml')], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  let errors = '';
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const lines = createInterface({ input: child.stdout });
  const started = new Promise<{ url: string; admin: string }>((done, fail) => {
    lines.on('line', (line) => {
      const entry = JSON.parse(line) as { msg?: string; url: string; admin: string };
      if (entry.msg === 'the router serves') done(entry);
    });
    // Not at its exit: what it said last may still be on its way.
    child.once('close', (code) => fail(new Error(`the router exited with ${code}: ${errors}`)));
  });
  const { url, admin: adminUrl } = await started;
  const token = env['STRANGLER_ADMIN_TOKEN'] ?? readFileSync(join(dir, '.data/admin-token'), 'utf8').trim();

  const admin: RouterProcess['admin'] = async (path, init = {}) => {
    const response = await fetch(adminUrl + path, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...init.headers },
    });
    return {
      status: response.status,
      etag: response.headers.get('etag') ?? '',
      body: (await response.json()) as Record<string, unknown>,
    };
  };
  return {
    url,
    adminUrl,
    dir,
    token,
    child,
    output: () => output,
    admin,
    async change(path, body) {
      const feature = path.split('/')[1]!;
      const { etag } = await admin(`/api/features/${feature}`);
      return admin(`/api/features${path}`, {
        method: path.endsWith('/split') ? 'PUT' : 'POST',
        headers: { 'if-match': etag },
        body: JSON.stringify({ why: 'a test', ...body }),
      });
    },
    cli: (...args) => runCli([...args, '--admin', adminUrl], { ...env, STRANGLER_ADMIN_TOKEN: token }, dir),
    async kill(signal) {
      child.kill(signal);
      return (await exited)[0];
    },
    async stop() {
      child.kill('SIGKILL');
      await exited;
      lines.close();
      if (!options.dir) rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Runs the CLI to its end. */
export async function runCli(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

export interface Upstream {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  /** Requests seen, as `METHOD url`. */
  readonly seen: string[];
  /** What it does with a request; replace it to make it misbehave. */
  handle: (request: IncomingMessage, response: ServerResponse) => void;
  close(): Promise<void>;
  /** Listens again on the same port, as a service does that comes back. */
  reopen(): Promise<void>;
}

/** An HTTP server that says its name in `x-served-by` and remembers what it saw. */
export async function startUpstream(name: string): Promise<Upstream> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.setHeader('x-served-by', name);
    upstream.handle(request, response);
  });
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const upstream: Upstream = {
    name,
    url: `http://127.0.0.1:${port}`,
    port,
    seen,
    handle: (request, response) => void request.resume().on('end', () => response.end(`${name}\n`)),
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
    reopen: () => listen(port),
  };
  return upstream;
}

export const CANARY = (percent: number, stage = 'canary'): string =>
  JSON.stringify({
    flags: {
      images: {
        state: 'ENABLED',
        variants: { monolith: 'monolith', 'image-api': 'image-api' },
        defaultVariant: 'monolith',
        targeting: {
          fractional: [
            ['image-api', percent],
            ['monolith', 100 - percent],
          ],
        },
        metadata: { stage },
      },
    },
  });

/** Waits until a status of the admin API fulfils `condition`. */
export async function untilStatus(
  router: RouterProcess,
  condition: (status: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown>> {
  let last: Record<string, unknown> = {};
  await until(
    async () => condition((last = (await router.admin('/api/status')).body)),
    () => `the status to change; it is ${JSON.stringify(last)}`,
  );
  return last;
}
