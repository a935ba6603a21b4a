import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openMonolith, type OpenMonolith } from '../test/support/monolith.ts';
import { freePorts } from '../tools/processes.ts';
import { until } from '../test/support/until.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

describe('the shop as a process', function () {
  this.timeout(60_000);
  let shop: OpenMonolith;
  let dataDir: string;
  const children: ChildProcess[] = [];
  before(async () => {
    shop = await openMonolith();
    dataDir = mkdtempSync(join(tmpdir(), 'monolith-'));
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await shop?.close();
    rmSync(dataDir, { recursive: true, force: true });
  });

  function start(env: Record<string, string>): {
    child: ChildProcess;
    output: () => string;
    exit: Promise<number | null>;
  } {
    const child = spawn(process.execPath, [MAIN], {
      env: {
        ...process.env,
        DATABASE_URL: shop.url,
        DATA_DIR: dataDir,
        SMTP_URL: 'smtp://127.0.0.1:1',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    return {
      child,
      output: () => output,
      exit: once(child, 'close').then(([code]) => code as number | null),
    };
  }
  async function serving(
    env: Record<string, string> = {},
  ): Promise<ReturnType<typeof start> & { url: string }> {
    const [port] = await freePorts(1);
    const started = start({ MONOLITH_PORT: String(port), ...env });
    const url = `http://127.0.0.1:${port}`;
    await until(
      () =>
        fetch(`${url}/readyz`).then(
          ({ ok }) => ok,
          () => false,
        ),
      () => `the shop to be ready; it says ${started.output()}`,
      25_000,
    );
    return { ...started, url };
  }

  it('finishes what is under way when it is told to end, and takes nothing new', async () => {
    const { child, exit, url } = await serving();
    const slow = request(`${url}/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': 50 },
    });
    const answered = once(slow, 'response') as Promise<[IncomingMessage]>;
    slow.write('{"email":"x",');
    // An answered request on another connection says that the first one's head has arrived too.
    await fetch(`${url}/livez`);
    child.kill('SIGTERM');
    await until(
      () =>
        fetch(`${url}/livez`).then(
          () => false,
          () => true,
        ),
      'new requests to be refused',
    );
    assert.equal(child.exitCode, null);
    slow.end('"password":"y"}'.padEnd(37));
    const [response] = await answered;
    assert.equal(response.statusCode, 401);
    assert.equal(response.headers.connection, 'close');
    response.resume();
    assert.equal(await exit, 0);
  });

  it('does not wait for ever for a request that never arrives', async () => {
    const { child, exit, url } = await serving({ MONOLITH_DRAIN_MS: '200' });
    const stuck = request(`${url}/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': 50 },
    });
    const cut = once(stuck, 'error');
    stuck.write('x');
    await fetch(`${url}/livez`);
    child.kill('SIGTERM');
    assert.equal(await exit, 0);
    await cut;
  });

  it('says in one sentence what is wrong with a setting', async () => {
    const { exit, output } = start({ MONOLITH_PORT: 'x' });
    assert.equal(await exit, 2);
    assert.equal(output().trim(), 'MONOLITH_PORT=x is not a whole number from 0 to 65535');
  });

  it('says which variable to change when its port is taken', async () => {
    const { url } = await serving();
    const { exit, output } = start({ MONOLITH_PORT: new URL(url).port });
    assert.equal(await exit, 1);
    assert.match(output(), /port \d+ is taken; set MONOLITH_PORT/);
  });
});
