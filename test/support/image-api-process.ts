import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePorts } from '../../tools/processes.ts';
import type { ImageSides } from './image-sides.ts';
import { until } from './until.ts';

const MAIN = resolve(import.meta.dirname, '../../extracted/image-api/main.ts');

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface ImageApiProcess {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  isAlive(): boolean;
  output(): string;
  /** On a connection of its own, so that none is left. Rejects when there is no answer. */
  ask(
    method: string,
    path: string,
    headers?: Readonly<Record<string, string>>,
    body?: Buffer,
  ): Promise<Answer>;
  /** The most memory it ever had, in MB. */
  peak(): number;
  /** What it has open, files and sockets. */
  handles(): string[];
  stop(): Promise<void>;
}

/** The service as a process, on the data of one of the sides; `more`: further variables. */
export async function startImageApi(
  sides: ImageSides,
  data: 'shared' | 'own',
  more: Readonly<Record<string, string>> = {},
): Promise<ImageApiProcess> {
  const dir = mkdtempSync(join(tmpdir(), 'image-api-'));
  const [port] = (await freePorts(1)) as [number];
  const { databaseUrl, blobDir } =
    data === 'own' ? sides.ownImageApi : { databaseUrl: sides.imageApiDatabaseUrl, blobDir: sides.blobDir };
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...process.env,
      IMAGE_API_PORT: String(port),
      IMAGE_DATA: data,
      IMAGE_DATABASE_URL: databaseUrl,
      BLOB_URL: `file:${blobDir}`,
      SHOP_URL: sides.monolith.url,
      DATA_DIR: dir,
      LOG_LEVEL: 'warn',
      ...more,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => (output += part.toString()));
  const exited = once(child, 'exit');
  const pid = child.pid!;
  const isAlive = (): boolean => child.exitCode === null && child.signalCode === null;
  const url = `http://127.0.0.1:${port}`;
  await until(
    () =>
      fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    () => `the service to start; it says ${output}`,
    25_000,
  );
  return {
    url,
    port,
    pid,
    isAlive,
    output: () => output,
    ask: (method, path, headers = {}, body = Buffer.alloc(0)) =>
      new Promise((answered, fail) => {
        const length = body.length > 0 ? { 'content-length': String(body.length) } : {};
        const asked = request(
          { host: '127.0.0.1', port, method, path, agent: false, headers: { ...headers, ...length } },
          (response) => {
            const parts: Buffer[] = [];
            response.on('data', (part: Buffer) => parts.push(part));
            response.on('error', fail);
            response.on('end', () =>
              answered({
                status: response.statusCode!,
                headers: response.headers,
                body: Buffer.concat(parts),
              }),
            );
          },
        );
        // An early refusal may close what is still being sent; the answer counts when there is one.
        asked.on('error', (error) => setImmediate(() => fail(error)));
        asked.end(body);
      }),
    peak: () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024,
    handles: () =>
      readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
        } catch {
          // It was closed meanwhile.
          return [];
        }
      }),
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(late);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
