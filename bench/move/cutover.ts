import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, request, type IncomingMessage } from 'node:http';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { end, type Field } from './field.ts';
import { atRate, RATE } from './load.ts';

const BIN = resolve(import.meta.dirname, '../../node_modules/.bin');

export interface CutOver {
  /** From `strangler move ramp photos 100` until it has ended. */
  readonly seconds: number;
  readonly requests: number;
  /** Requests that were not answered 204, and what instead. */
  readonly failed: readonly string[];
  /** Milliseconds of each request, from when it was due. */
  readonly took: readonly number[];
}

/** Every bucket changes its home while clients write through the router; a runner is at work. */
export async function cutOver(field: Field): Promise<CutOver> {
  const { urls, rows } = field;
  const application = join(import.meta.dirname, 'application.ts');
  const applications = [
    field.spawn(process.execPath, [application, urls[0], 'photos']),
    field.spawn(process.execPath, [application, urls[1], 'pictures']),
  ];
  const ports = await Promise.all(applications.map((child) => said(child, /^\d+$/)));
  const router = field.spawn(join(BIN, 'strangler'), ['serve', '--config', writeConfig(field.dir, ports)], {
    DATA_DIR: join(field.dir, 'router'),
    LOG_LEVEL: 'info',
  });
  const { url } = JSON.parse(await said(router, /the router serves/)) as { url: string };
  const agent = new Agent({ keepAlive: true, maxSockets: 1024 });
  const stop = new AbortController();
  const failed: string[] = [];
  const took: number[] = [];
  let isMeasured = false;
  const load = atRate(RATE, stop.signal, async (n, due) => {
    const counts = isMeasured;
    const id = 1 + ((n * 7919) % rows);
    const path = `/products/${1 + Math.floor(id / 20)}/photos/${id}`;
    const answer = await patch(agent, url + path, `seen by ${n}`).catch((error: Error) => error.message);
    if (!counts) return;
    took.push(performance.now() - due);
    if (answer !== 'done') failed.push(`${path}: ${answer} after ${Math.round(performance.now() - due)} ms`);
  });
  try {
    await wait(2000);
    isMeasured = true;
    const began = performance.now();
    await field.strangler('ramp', '100');
    const seconds = (performance.now() - began) / 1000;
    await wait(500);
    stop.abort();
    await load;
    return { seconds, requests: took.length, failed, took };
  } finally {
    stop.abort();
    await load;
    agent.destroy();
    for (const child of [router, ...applications]) await end(child);
  }
}

/** The first line of a process that is like this. What it says afterwards is read and forgotten. */
async function said({ stdout }: ChildProcess, like: RegExp): Promise<string> {
  for await (const line of createInterface({ input: stdout! }))
    if (like.test(line)) {
      stdout!.resume();
      return line;
    }
  throw new Error('a process ended before it was ready');
}

/** Answers `done`, or what was answered instead. */
async function patch(agent: Agent, url: string, body: string): Promise<string> {
  const sent = request(url, {
    agent,
    method: 'PATCH',
    headers: { 'content-length': Buffer.byteLength(body) },
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const said = await text(response);
  return response.statusCode === 204 ? 'done' : `${response.statusCode} ${said.slice(0, 200)}`;
}

function writeConfig(dir: string, [monolith, service]: readonly string[]): string {
  const file = join(dir, 'strangler.yaml');
  writeFileSync(
    file,
    `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "http://127.0.0.1:${monolith}" }, image-api: { url: "http://127.0.0.1:${service}" } }
default: monolith
features:
  photos:
    upstream: image-api
    flag: photos
    data: moving
    key: [{ header: x-user-id }]
    routes:
      - { match: "PATCH /products/{product}/photos/{id}", effect: write, entity: product }
`,
  );
  const variants = { monolith: 'monolith', 'image-api': 'image-api' };
  const targeting = {
    fractional: [
      ['image-api', 0],
      ['monolith', 100],
    ],
  };
  const metadata = { stage: 'canary' };
  const flag = { state: 'ENABLED', variants, defaultVariant: 'monolith', targeting, metadata };
  writeFileSync(join(dir, 'flags.json'), JSON.stringify({ flags: { photos: flag } }));
  return file;
}
