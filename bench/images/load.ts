import { Agent, request } from 'node:http';

/** A closed loop in a process of its own: `atOnce` connections that are kept, each with its next request when it has its answer. */
export interface Load {
  readonly port: number;
  readonly method: 'GET' | 'POST';
  /** Asked for in turn. */
  readonly paths: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  /** In base64; empty for none. */
  readonly body: string;
  /** Offset of four bytes of the body that are others in each request, none of them 0; within its first 64 KiB. Null: all bodies are equal. */
  readonly varied: number | null;
  readonly atOnce: number;
  /** Ends after this time or, when it is 0, after each path was asked for once. */
  readonly seconds: number;
}

export interface Loaded {
  readonly done: number;
  readonly perSecond: number;
  /** Status or error of what was not answered with 2xx, and how often. */
  readonly failed: Readonly<Record<string, number>>;
}

/** Bodies, since the process began. */
let made = 0;
process.on('message', async (load: Load) => {
  process.send!(await run(load));
});

async function run({ port, method, paths, headers, body, varied, atOnce, seconds }: Load): Promise<Loaded> {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const bytes = Buffer.from(body, 'base64');
  const failed: Record<string, number> = {};
  let [done, sent] = [0, 0];
  const start = performance.now();
  const isOver = (): boolean =>
    seconds === 0 ? sent >= paths.length : performance.now() - start >= seconds * 1000;
  const ask = (path: string): Promise<string> =>
    new Promise((answered) => {
      const length = bytes.length > 0 ? { 'content-length': bytes.length } : {};
      const asked = request(
        { port, host: '127.0.0.1', method, path, agent, headers: { ...headers, ...length } },
        (response) => {
          response.resume();
          response.on('end', () => answered(String(response.statusCode)));
          response.on('error', (error) => answered(error.message));
        },
      );
      asked.on('error', (error) => answered(error.message));
      if (varied === null) {
        asked.end(bytes);
        return;
      }
      const head = Buffer.from(bytes.subarray(0, 65_536));
      for (let n = 0, rest = ++made; n < 4; n++, rest = Math.floor(rest / 255))
        head[varied + n] = 1 + (rest % 255);
      asked.write(head);
      asked.end(bytes.subarray(65_536));
    });
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (!isOver()) {
        const status = await ask(paths[sent++ % paths.length]!);
        if (status.startsWith('2')) done++;
        else failed[status] = (failed[status] ?? 0) + 1;
      }
    }),
  );
  const took = performance.now() - start;
  agent.destroy();
  return { done, perSecond: (done / took) * 1000, failed };
}
process.send!('ready');
