import { Agent, request } from 'node:http';

export interface FixedRate {
  /** Ends it when all answers are there; says how many were sent, the rate that came about, and what went wrong. */
  stop(): Promise<{
    readonly sent: number;
    readonly perSecond: number;
    readonly failures: readonly string[];
  }>;
}

/**
 * GETs that leave at a fixed rate, whether or not earlier answers are there: what a stall would hide in a closed loop is asked for and seen
 * here. Each has a key of its own (`sid`), so both sides of a split get some.
 */
export function fixedRate(url: string, perSecond: number): FixedRate {
  const agent = new Agent({ keepAlive: true });
  const failures: string[] = [];
  const open = new Set<Promise<void>>();
  const start = performance.now();
  let sent = 0;
  const send = (n: number): Promise<void> =>
    new Promise((done) => {
      const failed = (why: string): void => {
        failures.push(why);
        done();
      };
      const asked = request(url, { agent, headers: { cookie: `sid=user-${n % 1000}` }, timeout: 10_000 });
      asked
        .on('response', (response) => {
          response
            .resume()
            .on('end', () => (response.statusCode === 200 ? done() : failed(String(response.statusCode))))
            .on('error', (error) => failed(error.message));
        })
        .on('timeout', () => asked.destroy(new Error('no answer within 10 s')))
        .on('error', (error) => failed(error.message))
        .end();
    });
  const timer = setInterval(() => {
    for (const due = ((performance.now() - start) / 1000) * perSecond; sent < due; sent++) {
      const answer = send(sent).finally(() => open.delete(answer));
      open.add(answer);
    }
  }, 2);
  return {
    async stop() {
      clearInterval(timer);
      const seconds = (performance.now() - start) / 1000;
      await Promise.all(open);
      agent.destroy();
      return { sent, perSecond: sent / seconds, failures };
    },
  };
}
