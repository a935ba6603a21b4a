import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeConfig } from './demo/config.ts';
import { tellMove } from './demo/move.ts';
import { ROOT, chapter, paint, until } from './demo/screen.ts';
import { standIn } from './demo/stand-in.ts';
import { tellStory } from './demo/story.ts';
import { freePorts } from './processes.ts';

/*
 * `make demo`: the story in a terminal, told by the real processes on ports and data of its own. Every sentence that states something is
 * checked before it is printed; the first that does not hold ends the demo with exit 1.
 */

const PORTS = ['ROUTER_PORT', 'ADMIN_PORT', 'MONOLITH_PORT', 'IMAGE_API_PORT', 'EMAIL_API_PORT', 'SMTP_PORT'];

async function main(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'strangler-demo-'));
  chmodSync(dataDir, 0o711);
  const [standInPort, ...free] = await freePorts(PORTS.length + 1);
  const ports = Object.fromEntries(PORTS.map((name, index) => [name, String(free[index])]));
  const env = {
    ...process.env,
    ...ports,
    DATA_DIR: dataDir,
    LOG_LEVEL: 'error',
    STRANGLER_CONFIG: writeConfig(dataDir, standInPort!),
    STRANGLER_ADMIN_TOKEN: randomBytes(16).toString('hex'),
  };
  const service = await standIn(standInPort!, { port: Number(ports['IMAGE_API_PORT']) });
  const url = `http://127.0.0.1:${ports['ROUTER_PORT']}`;
  try {
    chapter('A shop, a router in front of it, and a service that is not used yet');
    await withShop(env, (supervisor) => tellStory({ url, service, env, supervisor }));
    chapter('The data: the service is deployed again, with a database and a folder of its own');
    await withShop({ ...env, IMAGE_DATA: 'own' }, (supervisor) =>
      tellMove({ url, monolithUrl: `http://127.0.0.1:${ports['MONOLITH_PORT']}`, env, supervisor }),
    );
    chapter('The end. `make up` runs the same shop for you to play with.');
  } finally {
    await service.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Runs what `make up` runs while `work` is done. */
async function withShop(env: NodeJS.ProcessEnv, work: (supervisor: number) => Promise<void>): Promise<void> {
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
    await until(
      'the shop',
      () => {
        if (up.exitCode !== null) throw new Error(`make up ended:\n${output}`);
        return output.includes('everything is up');
      },
      90_000,
    );
    await work(up.pid!);
  } finally {
    up.kill('SIGTERM');
    await ended;
  }
}

try {
  await main();
} catch (error) {
  console.error(`\n${paint('31', 'The demo stopped:')} ${(error as Error).message}`);
  process.exitCode = 1;
}
