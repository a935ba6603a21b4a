import { execFile, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { descendantsOf, freePorts } from '../../tools/processes.ts';
import { spawnTethered } from '../../tools/tethered.ts';
import { until } from './until.ts';

/** A real RabbitMQ broker on loopback. */
export interface Broker {
  /** For AMQP_URL. */
  readonly url: string;
  /** Kills the broker with -9, Erlang's machine included; resolves when it is gone. Its data stay. */
  kill(): Promise<void>;
  /** Starts a broker that was killed or stopped, with its data and ports; resolves when it takes connections. */
  start(): Promise<void>;
  /** Ends it in order; its data stay. */
  halt(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

const BIN = '/usr/lib/rabbitmq/bin';

/** Starts a broker of its own, with folder, ports and node name of its own. Takes about 10 s. */
export async function startBroker(): Promise<Broker> {
  const dir = mkdtempSync(join(tmpdir(), 'rabbitmq-'));
  const [port, distribution, epmd] = (await freePorts(3)) as [number, number, number];
  const node = `shop-${port}@localhost`;
  const cookie = join(dir, '.erlang.cookie');
  writeFileSync(cookie, `cookie${port}`);
  chmodSync(cookie, 0o400);
  for (const each of ['mnesia', 'log']) mkdirSync(join(dir, each));
  writeFileSync(join(dir, 'enabled_plugins'), '[].\n');
  const env = {
    ...process.env,
    HOME: dir,
    RABBITMQ_NODENAME: node,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_PID_FILE: join(dir, 'pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
    RABBITMQ_CONF_ENV_FILE: join(dir, 'none'),
    // Erlang's name server outlives the broker that starts it: each broker has one of its own, ended with it.
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(epmd),
  };
  let child: ChildProcess | null = null;
  const url = `amqp://127.0.0.1:${port}`;

  async function start(): Promise<void> {
    child = spawnTethered(join(BIN, 'rabbitmq-server'), [], { env, stdio: 'ignore', endSignal: 'SIGTERM' });
    await until(isUp, 'the broker to take connections', 60_000);
  }
  const isUp = async (): Promise<boolean> => {
    try {
      const connection = await connect(url);
      await connection.close();
      return true;
    } catch {
      return false;
    }
  };
  async function kill(): Promise<void> {
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    const pids = [child.pid, ...descendantsOf(child.pid), ...machineOf(join(dir, 'pid'))];
    for (const pid of pids)
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended with the one before.
      }
    await exited;
    child = null;
  }
  async function halt(): Promise<void> {
    if (!child) return;
    const exited = once(child, 'exit');
    await new Promise((done) =>
      execFile(join(BIN, 'rabbitmqctl'), ['-q', '-n', node, 'stop'], { env }, done),
    );
    await exited;
    child = null;
  }
  await start();
  return {
    url,
    start,
    kill,
    halt,
    async stop() {
      await kill();
      // Until it has heard that its broker is gone it refuses to go itself, and says so with success.
      const isGone = (): Promise<boolean> =>
        new Promise((done) =>
          execFile('epmd', ['-kill'], { env }, (_error, said) => done(!said.includes('not allowed'))),
        );
      await until(isGone, 'epmd to end');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Process number of Erlang's machine as the broker noted it. */
function machineOf(file: string): number[] {
  try {
    return [Number(readFileSync(file, 'utf8'))].filter(Boolean);
  } catch {
    return [];
  }
}
