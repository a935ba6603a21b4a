import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

export interface Visits {
  /** Milliseconds from the moment at which a page was due to its last byte, sorted. */
  readonly latencies: readonly number[];
  /** Pages that were not answered with 200. */
  readonly failed: number;
}

/**
 * Asks for a page at a fixed rate, whether or not earlier answers are there: a shop's visitors don't wait for each other, so a slow answer delays nobody's
 * request and is not left out of the figures. Each has a key of its own.
 */
export async function visit(url: string, perSecond: number, seconds: number): Promise<Visits> {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const latencies: number[] = [];
  let failed = 0;
  const start = performance.now();
  const all = Array.from({ length: perSecond * seconds }, async (_, n) => {
    const due = start + (n / perSecond) * 1000;
    await wait(Math.max(0, due - performance.now()));
    const isOk = await page(url, agent, n);
    if (isOk) latencies.push(performance.now() - due);
    else failed++;
  });
  await Promise.all(all);
  agent.destroy();
  return { latencies: latencies.toSorted((a, b) => a - b), failed };
}

async function page(url: string, agent: Agent, n: number): Promise<boolean> {
  return await new Promise((done) => {
    const headers = { accept: 'text/html', cookie: `strangler_id=visitor-${n}` };
    const asked = request(`${url}/`, { agent, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => done(answer.statusCode === 200));
      answer.on('error', () => done(false));
    });
    asked.setTimeout(20_000, () => asked.destroy());
    asked.on('error', () => done(false));
    asked.end();
  });
}

/** `share` from 0 to 1 of sorted values. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
