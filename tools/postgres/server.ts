import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { spawnTethered } from '../tethered.ts';
import type { Account } from './account.ts';
import { SERVER_ENVIRONMENT } from './folders.ts';
import { isReady, signalIfThere } from './stale.ts';

/** One run of the postmaster. */
export interface Server {
  readonly pid: number;
  /** Resolves when it has ended, with the milliseconds it was up. */
  readonly ended: Promise<number>;
}

export interface ServerOptions {
  readonly native: string;
  readonly account: Account;
  readonly data: string;
  readonly socket: string;
  readonly durable: boolean;
  readonly log: (line: string) => void;
  /** Milliseconds until it must accept connections. */
  readonly startDeadline: number;
}

const SETTINGS = {
  listen_addresses: '',
  port: '5432',
  max_connections: '200',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  cluster_name: 'strangler',
};
const NOT_DURABLE = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/** Milliseconds that the output of a server which ended may take to arrive. */
const LAST_WORDS = 1000;

/** Starts a postmaster on a data folder and resolves when it accepts connections. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { data, startDeadline } = options;
  const { child, lastLines } = spawnServer(options);
  const { pid } = child;
  if (pid === undefined) {
    const [error] = (await once(child, 'error')) as [Error];
    throw new Error(`Postgres did not start on ${data}: ${error.message}`);
  }
  const started = Date.now();
  const ended = once(child, 'exit').then(() => Date.now() - started);
  const said = once(child, 'close');
  while (!isReady(data, pid)) {
    if (child.exitCode !== null || child.signalCode !== null) {
      // What it said last may still be on its way; a process it left behind could keep the pipe open for good.
      await Promise.race([said, wait(LAST_WORDS)]);
      throw new Error(`Postgres did not start on ${data}: ${lastLines.join('\n')}`);
    }
    if (Date.now() - started > startDeadline) {
      signalIfThere(pid, 'SIGKILL');
      await ended;
      throw new Error(`Postgres on ${data} was not ready after ${startDeadline} ms: ${lastLines.join('\n')}`);
    }
    await wait(10);
  }
  return { pid, ended };
}

function spawnServer({ native, account, data, socket, durable, log }: ServerOptions): {
  child: ChildProcess;
  lastLines: string[];
} {
  const settings = Object.entries({ ...SETTINGS, ...(durable ? {} : NOT_DURABLE) });
  const handles = [openSync(data, 'r'), openSync(socket, 'r')] as const;
  const lastLines: string[] = [];
  try {
    const child = spawnTethered(
      join(native, 'bin/postgres'),
      [
        '-D',
        '/proc/self/fd/3',
        '-k',
        '/proc/self/fd/4',
        ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      {
        ...account,
        cwd: '/',
        env: SERVER_ENVIRONMENT,
        stdio: ['ignore', 'ignore', 'pipe', ...handles],
        // In a session of its own, so that Ctrl-C does not end the database before those who use it.
        detached: true,
        endSignal: 'SIGINT',
      },
    );
    createInterface({ input: child.stderr! }).on('line', (line) => {
      lastLines.push(line);
      if (lastLines.length > 20) lastLines.shift();
      log(line);
    });
    return { child, lastLines };
  } finally {
    for (const handle of handles) closeSync(handle);
  }
}

/** Fast shutdown; what is still there after `deadline` milliseconds quits at once, and after as long again is killed. */
export async function stopServer({ pid, ended }: Server, deadline: number): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (await endsWithin(ended, 0)) return;
    signalIfThere(pid, signal);
    if (await endsWithin(ended, deadline)) return;
  }
  await ended;
}

async function endsWithin(ended: Promise<number>, milliseconds: number): Promise<boolean> {
  const waiting = new AbortController();
  const timeout = wait(milliseconds, false, waiting).catch(() => false);
  try {
    return await Promise.race([ended.then(() => true), timeout]);
  } finally {
    waiting.abort();
  }
}
