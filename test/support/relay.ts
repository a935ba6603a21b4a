import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { spawnTethered } from '../../tools/tethered.ts';

const ENTRY = join(resolve(import.meta.dirname, '../..'), 'monolith/relay.ts');

/** The relay as a process. */
export interface Relay {
  readonly child: ChildProcess;
  /** What it wrote so far. */
  output(): string;
  /** The exit code, when it has ended and all it wrote is there. */
  readonly ended: Promise<number | null>;
  /** Sends a signal, resolves as `ended`. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts a relay; it is at work when its output says so, or when what it does shows. */
export function startRelay(databaseUrl: string, amqpUrl: string, env: NodeJS.ProcessEnv = {}): Relay {
  const child = spawnTethered(process.execPath, [ENTRY], {
    env: { ...process.env, DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    endSignal: 'SIGKILL',
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return {
    child,
    output: () => output,
    ended,
    end(signal) {
      child.kill(signal);
      return ended;
    },
  };
}
