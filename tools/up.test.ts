import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../test/support/until.ts';
import { descendantsOf, freePorts } from './processes.ts';

const UP = join(import.meta.dirname, 'up.ts');
const NAMES = [
  'ROUTER_PORT',
  'ADMIN_PORT',
  'MONOLITH_PORT',
  'IMAGE_API_PORT',
  'EMAIL_API_PORT',
  'SMTP_PORT',
] as const;
const ENTRIES = [
  'monolith/main.ts',
  'extracted/image-api/main.ts',
  'extracted/email-api/main.ts',
  'cli/main.ts',
  'bin/postgres',
];

describe('make up', function () {
  this.timeout(120_000);
  let dir: string;
  let ports: Record<(typeof NAMES)[number], number>;
  let started: ChildProcess[];
  let output: string;

  before(() => {
    // One folder for all: what a second run finds there is part of what is tested.
    dir = fs.mkdtempSync(join(tmpdir(), 'up-'));
    fs.writeFileSync(join(dir, 'Makefile'), `up:\n\t@exec "${process.execPath}" "${UP}" --under-make\n`);
  });
  beforeEach(async () => {
    const free = await freePorts(NAMES.length);
    ports = Object.fromEntries(NAMES.map((name, at) => [name, free[at]!])) as typeof ports;
    started = [];
  });
  afterEach(async () => {
    for (const child of started) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, 'exit');
      for (const pid of descendantsOf(child.pid!)) kill(pid, 'SIGKILL');
      child.kill('SIGKILL');
      await exited;
    }
  });
  after(() => fs.rmSync(dir, { recursive: true, force: true }));

  function start(command: string, args: string[], env: Record<string, string> = {}): ChildProcess {
    const child = spawn(command, args, {
      cwd: dir,
      // As a terminal does for a job: Ctrl-C is a signal to the whole group.
      detached: true,
      env: { ...process.env, ...strings(ports), DATA_DIR: join(dir, 'data'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.push(child);
    output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    return child;
  }
  const startUp = (env?: Record<string, string>): ChildProcess => start(process.execPath, [UP], env);
  const startMake = (...variables: string[]): ChildProcess =>
    start('make', ['--no-print-directory', 'up', ...variables]);

  async function isUp(child: ChildProcess): Promise<number[]> {
    await until(
      () => {
        assert.equal(child.exitCode, null, output);
        return output.includes('everything is up');
      },
      () => `everything to be up:\n${output}`,
      90_000,
    );
    return descendantsOf(child.pid!);
  }
  const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${ports.ROUTER_PORT}${path}`);
  const gone = (pids: number[]): Promise<void> =>
    until(() => pids.every((pid) => !fs.existsSync(`/proc/${pid}/exe`)), 'every process to be gone', 20_000);
  const commandOf = (pid: number): string => {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    } catch {
      return '';
    }
  };

  it('brings up the shop, brings back what is killed, and ends in order and cleanly', async () => {
    const up = startUp();
    const pids = await isUp(up);
    const products = (await (await get('/products')).json()) as unknown[];
    assert.ok(products.length > 0, 'the shop is seeded');
    for (const entry of ENTRIES) {
      const find = (): number | undefined =>
        descendantsOf(up.pid!).find((pid) => commandOf(pid).split(' -D')[0]!.includes(entry));
      const killed = find();
      assert.ok(killed, `the command line of a process names ${entry}`);
      kill(killed, 'SIGKILL');
      await until(
        () =>
          ![killed, undefined].includes(find()) &&
          get('/products').then(
            ({ ok }) => ok,
            () => false,
          ),
        `${entry} to come back`,
        60_000,
      );
    }
    pids.push(...descendantsOf(up.pid!));
    kill(-up.pid!, 'SIGINT');
    assert.deepEqual(await once(up, 'close'), [0, null], output);
    await gone(pids);
    assert.match(output, /stopping/);
  });

  it('keeps the data, and stops when make is told to', async () => {
    const make = startMake();
    const pids = await isUp(make);
    assert.doesNotMatch(output, /migrated/);
    assert.ok(pids.length > 4);
    const flags = JSON.parse(fs.readFileSync(join(dir, 'data/flags.json'), 'utf8')) as object;
    assert.match(JSON.stringify(flags), /\["image-api",0\]/);
    make.kill('SIGTERM');
    await once(make, 'exit');
    await gone(pids);
  });

  it('starts as many image-apis as it is told, and has the router ask all', async () => {
    // The ports above it are wanted too: below those that the system hands out, nobody takes them meanwhile.
    ports.IMAGE_API_PORT = 20_000 + (process.pid % 10_000);
    const make = startMake('IMAGE_API_INSTANCES=3');
    const pids = await isUp(make);
    const services = pids.filter((pid) => /node\S* \S*extracted\/image-api\/main\.ts/.test(commandOf(pid)));
    assert.equal(services.length, 3);
    const token = fs.readFileSync(join(dir, 'data/admin-token'), 'utf8').trim();
    const answer = await fetch(`http://127.0.0.1:${ports.ADMIN_PORT}/api/status`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const { upstreams } = (await answer.json()) as {
      upstreams: { name: string; instances: { url: string }[] }[];
    };
    const { instances } = upstreams.find(({ name }) => name === 'image-api')!;
    assert.equal(instances.length, 3);
    for (const { url } of instances) assert.ok((await fetch(`${url}/readyz`)).ok, url);
    make.kill('SIGTERM');
    await once(make, 'exit');
    await gone(pids);
  });

  it('stops when only make gets Ctrl-C', async () => {
    const make = startMake();
    const pids = await isUp(make);
    make.kill('SIGINT');
    await once(make, 'exit');
    await gone(pids);
  });

  it('leaves no process when it is killed, nor when make is', async () => {
    const up = startUp();
    const ofUp = await isUp(up);
    up.kill('SIGKILL');
    await gone(ofUp);
    const make = startMake();
    const ofMake = await isUp(make);
    make.kill('SIGKILL');
    await gone(ofMake);
  });

  it('can be stopped while it is still coming up', async () => {
    const up = startUp();
    await until(() => output.includes('starting monolith'), 'the monolith to be started', 60_000);
    const pids = descendantsOf(up.pid!);
    up.kill('SIGTERM');
    assert.deepEqual(await once(up, 'close'), [0, null], output);
    await gone(pids);
  });

  it('names a port that is taken, and its variable', async () => {
    const server: Server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const up = startUp({ IMAGE_API_PORT: String(port) });
    assert.deepEqual(await once(up, 'close'), [1, null]);
    assert.match(output, new RegExp(`port ${port} is in use by another program.*IMAGE_API_PORT`));
    server.close();
  });

  it('says which service does not come up, and ends', async () => {
    const up = startUp({ LOG_LEVEL: 'nonsense' });
    assert.deepEqual(await once(up, 'close'), [1, null], output);
    assert.match(output, /monolith ended 3 times; what it said stands above/);
  });
});

const strings = (numbers: Record<string, number>): Record<string, string> =>
  Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, String(value)]));

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH');
  }
}
