import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../tools/processes.ts';
import { spawnTethered } from '../../tools/tethered.ts';
import { until } from './until.ts';

/** A cluster of real etcd members on loopback. */
export interface Etcd {
  /** Client URLs, one a member. */
  readonly urls: readonly string[];
  /** Index of the member that leads now. */
  leader(): Promise<number>;
  /** Kills a member with -9; resolves when it is gone. Its data stay. */
  kill(member: number): Promise<void>;
  /** Starts a member that was killed, with its data and ports. */
  start(member: number): Promise<void>;
  /** Freezes a member (SIGSTOP) or lets it go on (SIGCONT). */
  signal(member: number, signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Resolves when a majority answers writes. */
  ready(): Promise<void>;
  /** Ends all of it and removes its folder. */
  stop(): Promise<void>;
}

/** Starts a cluster of its own; resolves when it takes writes. `flags`: further ones of each member. */
export async function startEtcd(members = 1, flags: readonly string[] = []): Promise<Etcd> {
  const dir = mkdtempSync(join(tmpdir(), 'etcd-'));
  const ports = await freePorts(members * 2);
  const urls = ports.slice(0, members).map((port) => `http://127.0.0.1:${port}`);
  const peers = ports.slice(members).map((port) => `http://127.0.0.1:${port}`);
  const running: (ChildProcess | null)[] = Array.from({ length: members }, () => null);

  function launch(n: number): void {
    running[n] = spawnTethered(
      'etcd',
      [
        `--name=m${n}`,
        `--data-dir=${join(dir, `m${n}`)}`,
        `--listen-client-urls=${urls[n]}`,
        `--advertise-client-urls=${urls[n]}`,
        `--listen-peer-urls=${peers[n]}`,
        `--initial-advertise-peer-urls=${peers[n]}`,
        `--initial-cluster=${peers.map((peer, i) => `m${i}=${peer}`).join(',')}`,
        '--initial-cluster-state=new',
        '--logger=zap',
        '--log-level=error',
        ...flags,
      ],
      { stdio: 'ignore', endSignal: 'SIGKILL' },
    );
  }
  async function post(url: string, path: string, body: unknown): Promise<Record<string, unknown> | null> {
    try {
      const answer = await fetch(`${url}/v3/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(500),
      });
      return answer.ok ? ((await answer.json()) as Record<string, unknown>) : null;
    } catch {
      return null;
    }
  }
  const isServing = async (url: string): Promise<boolean> =>
    (await post(url, 'kv/put', { key: 'cmVhZHk=', value: '' })) !== null;
  const ready = (): Promise<void> =>
    until(async () => (await Promise.all(urls.map(isServing))).some(Boolean), 'etcd to take writes', 30_000);

  for (let n = 0; n < members; n++) launch(n);
  await ready();
  return {
    urls,
    ready,
    async leader() {
      let found = -1;
      await until(async () => {
        const answers = await Promise.all(urls.map((url) => post(url, 'maintenance/status', {})));
        found = answers.findIndex((answer) => {
          const { member_id: id } = (answer?.['header'] ?? {}) as { member_id?: string };
          return id !== undefined && answer!['leader'] === id;
        });
        return found !== -1;
      }, 'a leader');
      return found;
    },
    async kill(n) {
      const child = running[n]!;
      running[n] = null;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
    async start(n) {
      launch(n);
      await until(
        async () => (await post(urls[n]!, 'maintenance/status', {})) !== null,
        `member ${n}`,
        30_000,
      );
    },
    signal: (n, signal) => void running[n]!.kill(signal),
    async stop() {
      await Promise.all(
        running.map(async (child) => {
          if (!child || child.exitCode !== null) return;
          const gone = once(child, 'exit');
          child.kill('SIGKILL');
          await gone;
        }),
      );
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
