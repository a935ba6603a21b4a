import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { wrkScript, type Workload } from './workloads.ts';

/** User and system time that a process has used so far, in microseconds, all its threads together (proc_pid_stat(5), fields 14 and 15). */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A tick is 10 ms on Linux, whatever the kernel's own is (USER_HZ).
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

export interface Round {
  /** CPU of the proxy for one request, in microseconds. */
  readonly cpu: number;
  readonly perSecond: number;
}

/** Closed loop with wrk on the other core: as many requests as come back in `seconds`. Rejects when answers were not as they should be. */
export async function closedLoop(
  workload: Workload,
  pid: number,
  port: number,
  core: number,
  seconds: number,
  dir: string,
): Promise<Round> {
  const script = join(dir, 'load.lua');
  writeFileSync(script, wrkScript(workload, `127.0.0.1:${port}`));
  const before = cpuOf(pid);
  const child = spawn(
    'taskset',
    [
      '-c',
      String(core),
      'wrk',
      '-t1',
      `-c${workload.connections}`,
      `-d${seconds}s`,
      '--timeout',
      '20s',
      '-s',
      script,
      `http://127.0.0.1:${port}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  await once(child, 'close');
  const cpu = cpuOf(pid) - before;
  const requests = Number(/(\d+) requests in/.exec(out)?.[1] ?? 0);
  if (requests === 0 || /Non-2xx|Socket errors/.test(out))
    throw new Error(`the load did not go well:\n${out}`);
  return { cpu: cpu / requests, perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1]) };
}

/**
 * Open loop: requests leave at a fixed rate, whether or not earlier answers are there, so that a slow answer delays no later request and is
 * not left out of the figures (coordinated omission). Answers the latencies in milliseconds, sorted.
 */
export async function fixedRate(
  workload: Workload,
  port: number,
  perSecond: number,
  seconds: number,
): Promise<number[]> {
  const total = perSecond * seconds;
  const free: Client[] = await Promise.all([...Array(64).keys()].map(() => openClient(port)));
  const latencies: number[] = [];
  const start = performance.now() + 50;
  let sent = 0;
  await new Promise<void>((done, fail) => {
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * perSecond));
      for (; sent < due; sent++) {
        const client = free.pop();
        if (!client) return fail(new Error('64 connections are not enough: answers take too long'));
        const scheduled = start + (sent / perSecond) * 1000;
        client.send(workload, sent, () => {
          latencies.push(performance.now() - scheduled);
          free.push(client);
          if (latencies.length < total) return;
          clearInterval(timer);
          done();
        });
      }
    }, 1);
  });
  for (const client of free) client.socket.destroy();
  return latencies.toSorted((a, b) => a - b);
}

interface Client {
  readonly socket: Socket;
  send(workload: Workload, n: number, answered: () => void): void;
}

async function openClient(port: number): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  let left = -1;
  let answered: () => void = () => {};
  socket.on('data', (chunk: Buffer) => {
    if (left === -1) {
      const end = chunk.indexOf('\r\n\r\n');
      const length = Number(
        /content-length: (\d+)/i.exec(chunk.toString('latin1', 0, end))?.[1] ?? Number.NaN,
      );
      if (end === -1 || Number.isNaN(length))
        throw new Error('an answer’s head did not come in one piece, or without Content-Length');
      left = length - (chunk.length - end - 4);
    } else left -= chunk.length;
    if (left > 0) return;
    left = -1;
    answered();
  });
  return {
    socket,
    send({ method, path, headers }, n, callback) {
      answered = callback;
      socket.write(
        [
          `${method} ${path} HTTP/1.1`,
          `Host: 127.0.0.1:${port}`,
          ...headers,
          `x-user-id: user-${n % 1000}`,
          '',
          '',
        ].join('\r\n'),
      );
    },
  };
}
