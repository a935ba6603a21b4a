import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';

/** A program of this folder as a process; resolves when it has printed its first line, which is its port. */
export async function start(
  program: string,
  ...args: string[]
): Promise<{ process: ChildProcess; port: number; nextLine(): Promise<string> }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url)), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const waiting: ((line: string) => void)[] = [];
  const lines: string[] = [];
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop()!;
    for (const line of parts) {
      const next = waiting.shift();
      if (next) next(line);
      else lines.push(line);
    }
  });
  const nextLine = async (): Promise<string> =>
    lines.shift() ?? (await new Promise((done) => waiting.push(done)));
  return { process: child, port: Number(await nextLine()), nextLine };
}

/** Ends a process for good. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGCONT');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly milliseconds: number;
}

/** One request; status 0 when the connection broke. */
export async function ask(port: number, method: string, path: string, agent: Agent): Promise<Answer> {
  const started = performance.now();
  return await new Promise((done) => {
    const fail = (): void => done({ status: 0, body: '', milliseconds: performance.now() - started });
    const outgoing = request(
      {
        port,
        host: '127.0.0.1',
        method,
        path,
        agent,
        headers: method === 'POST' ? { 'content-length': 1 } : {},
      },
      (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () =>
          done({ status: response.statusCode!, body, milliseconds: performance.now() - started }),
        );
        response.on('error', fail);
      },
    );
    outgoing.on('error', fail);
    outgoing.end(method === 'POST' ? 'x' : undefined);
  });
}

/** Sends `count` requests, `width` at a time over kept connections, and resolves with what came back. `each` is told after every answer. */
export async function load(
  port: number,
  count: number,
  width: number,
  of: (index: number) => [method: string, path: string],
  each: (done: number) => void = () => undefined,
): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: width });
  const answers: Answer[] = [];
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      const [method, path] = of(index);
      answers[index] = await ask(port, method, path, agent);
      each(++done);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  agent.destroy();
  return answers;
}
