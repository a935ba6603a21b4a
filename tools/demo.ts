import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import sharp from 'sharp';
import { freePorts, pidsOf } from './processes.ts';

/*
 * `make demo`: the story in a terminal, told by the real processes on ports and data of its own. Every sentence that states something is
 * checked before it is printed; the first that does not hold ends the demo with exit 1.
 */

const ROOT = resolve(import.meta.dirname, '..');
const CLI = join(ROOT, 'cli/main.ts');
const KEYS = 200;

const colour = process.stdout.isTTY && !process.env['NO_COLOR'];
const paint = (code: string, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
const chapter = (text: string): void => console.log(`\n${paint('1;36', text)}`);
const tell = (text: string): void => console.log(`  ${text}`);
const holds = (what: string, condition: boolean): void => {
  if (!condition) throw new Error(`does not hold: ${what}`);
  tell(`${paint('32', '✔')} ${what}`);
};

async function main(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'strangler-demo-'));
  chmodSync(dataDir, 0o711);
  const names = [
    'ROUTER_PORT',
    'ADMIN_PORT',
    'MONOLITH_PORT',
    'IMAGE_API_PORT',
    'EMAIL_API_PORT',
    'SMTP_PORT',
  ];
  const free = await freePorts(names.length);
  const ports = Object.fromEntries(names.map((name, index) => [name, String(free[index])]));
  const env = { ...process.env, ...ports, DATA_DIR: dataDir, LOG_LEVEL: 'error' };
  const up = spawn(process.execPath, [join(ROOT, 'tools/up.ts')], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [up.stdout, up.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(up, 'exit');
  try {
    chapter('A shop, a router in front of it, and a service that is not used yet');
    const url = `http://127.0.0.1:${ports['ROUTER_PORT']}`;
    const imageApi = `http://127.0.0.1:${ports['IMAGE_API_PORT']}`;
    await until(async () => {
      if (up.exitCode !== null) throw new Error(`make up ended:\n${output}`);
      return Promise.all(
        [`${url}/products`, `${imageApi}/readyz`].map((each) =>
          fetch(each).then(
            (response) => response.ok,
            () => false,
          ),
        ),
      ).then((ready) => ready.every(Boolean));
    }, 90_000);
    await story(url, imageApi, env, () => up.pid!);
    chapter('The end. `make up` runs the same shop for you to play with.');
  } finally {
    up.kill('SIGTERM');
    await ended;
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function story(
  url: string,
  imageApi: string,
  env: NodeJS.ProcessEnv,
  supervisor: () => number,
): Promise<void> {
  const products = (await (await fetch(`${url}/products`)).json()) as unknown[];
  holds(`the shop serves ${products.length} products through the router`, products.length >= 8);
  const cookie = await login(url);
  const first = await upload(url, cookie);
  tell(`a customer logs in and uploads a picture: ${first}`);
  holds('the monolith answered it all; the service saw no picture request', (await counted(imageApi)) === 0);

  chapter('Ten per cent of the customers, always the same ones');
  await strangler(env, 'shift', 'images', '10', '--why', 'the first customers');
  const ten = await sides(url, first);
  holds(`${ten.size} of ${KEYS} keys are answered by the image-api`, ten.size > 0 && ten.size < KEYS / 4);
  holds('asked again, it is the same ones', same(ten, await sides(url, first)));

  chapter('Everybody');
  await strangler(env, 'shift', 'images', '100', '--why', 'it looks good');
  holds('all keys are answered by the image-api', (await sides(url, first)).size === KEYS);
  const second = await upload(url, cookie);
  tell(`an upload now goes through the service: ${second}`);

  chapter('The service is killed under load');
  const statuses: number[] = [];
  let isOver = false;
  const load = Promise.all(
    [...Array(8).keys()].map(async (reader) => {
      while (!isOver)
        statuses.push(
          await fetch(`${url}${first}/meta`, { headers: { 'x-user-id': `reader-${reader}` } }).then(
            async (response) => (await response.arrayBuffer(), response.status),
            () => 0,
          ),
        );
    }),
  );
  await until(() => statuses.length > 200, 20_000);
  const [pid] = pidsOf(supervisor(), 'extracted/image-api/main.ts');
  process.kill(pid!, 'SIGKILL');
  tell(`kill -9 ${pid}`);
  await until(() => pidsOf(supervisor(), 'extracted/image-api/main.ts').some((each) => each !== pid), 20_000);
  await until(async () => (await counted(imageApi).catch(() => 0)) > 0, 20_000);
  isOver = true;
  await load;
  holds(
    `0 of ${statuses.length} reads failed: the monolith answered until the service was back`,
    statuses.every((status) => status === 200),
  );

  chapter('And back');
  await strangler(env, 'rollback', 'images', '--why', 'enough for today');
  holds('nobody is answered by the image-api', (await sides(url, second)).size === 0);
  const back = await fetch(url + second);
  holds('the monolith serves the picture that the service took', back.status === 200);
  console.log(`\n${await strangler(env, 'journal', 'images')}`);
}

/** Keys whose answer came from the service, by what the router says in Server-Timing. */
async function sides(url: string, path: string): Promise<Set<string>> {
  const answers = await Promise.all(
    [...Array(KEYS).keys()].map(async (i) => {
      const response = await fetch(`${url}${path}/meta`, { headers: { 'x-user-id': `key-${i}` } });
      await response.arrayBuffer();
      return response.headers.get('server-timing')?.includes('image-api') ? [`key-${i}`] : [];
    }),
  );
  return new Set(answers.flat());
}

const same = (one: Set<string>, other: Set<string>): boolean =>
  one.size === other.size && [...one].every((key) => other.has(key));

async function login(url: string): Promise<string> {
  const response = await fetch(`${url}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'demo@example.com', password: 'demo' }),
  });
  return response.headers.getSetCookie()[0]!.split(';')[0]!;
}

async function upload(url: string, cookie: string): Promise<string> {
  const bytes = await sharp({
    create: {
      width: 640,
      height: 480,
      channels: 3,
      background: '#246',
      noise: { type: 'gaussian', mean: 120, sigma: 25 },
    },
  })
    .jpeg()
    .toBuffer();
  const form = new FormData();
  form.set('image', new Blob([new Uint8Array(bytes)], { type: 'image/jpeg' }), 'photo.jpg');
  const response = await fetch(`${url}/products/1/images`, {
    method: 'POST',
    headers: { cookie },
    body: form,
  });
  if (response.status !== 201) throw new Error(`the upload was answered with ${response.status}`);
  return response.headers.get('location')!;
}

/** Picture requests the image-api has counted. */
async function counted(imageApi: string): Promise<number> {
  const text = await (await fetch(`${imageApi}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => /^image_api_requests_total\{.*images/.test(line))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

async function strangler(env: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  tell(paint('2', `$ strangler ${args.map((arg) => (arg.includes(' ') ? `"${arg}"` : arg)).join(' ')}`));
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`strangler ${args[0]} exited with ${code}`);
  return out;
}

async function until(condition: () => boolean | Promise<boolean>, deadline: number): Promise<void> {
  for (const end = Date.now() + deadline; !(await condition()); await wait(25))
    if (Date.now() > end) throw new Error(`waited ${deadline / 1000} s in vain`);
}

try {
  await main();
} catch (error) {
  console.error(`\n${paint('31', 'The demo stopped:')} ${(error as Error).message}`);
  process.exitCode = 1;
}
