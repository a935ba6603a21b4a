import type { Request } from 'express';
import { Problem } from './problem.ts';

/** Counts a job of a client; what it returns ends the job, once. Throws 429 with Retry-After when the client has too many. */
export type Admit = (client: string) => () => void;

/** `most`: jobs of one client in work or waiting at once; 0: as many as there are. Nothing is kept of a client without jobs. */
export function createClients(most: number): Admit {
  if (most === 0) return () => () => undefined;
  const jobs = new Map<string, number>();
  return (client) => {
    const now = jobs.get(client) ?? 0;
    if (now >= most)
      throw new Problem(429, `${most} pictures are being made for you already; wait until one is done`, {
        'retry-after': '1',
      });
    jobs.set(client, now + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = jobs.get(client)! - 1;
      if (left === 0) jobs.delete(client);
      else jobs.set(client, left);
    };
  };
}

/** Who asks, by address. Undefined where only a proxy is known, or this machine: that stands for everybody behind it, and is no one's share. */
export function clientOf(request: Request): string | undefined {
  const isProxy = request.app.get('trust proxy fn') as (address: string, hop: number) => boolean;
  return request.ip === undefined || isProxy(request.ip, 0) ? undefined : request.ip;
}
