import { randomUUID } from 'node:crypto';
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Windows } from './windows.ts';

/** The other routers that share the state folder. */
export interface Peers {
  /** Tells them what was measured here since the last time, and adds what they measured. Called every second; never throws. */
  exchange(): void;
  /** Those that were there within the last minute and say nothing now. */
  silent(): readonly string[];
  /** Says the last, and leaves. */
  close(): void;
}

export interface PeersOptions {
  /** The state folder. */
  readonly stateDir: string;
  readonly windows: Pick<Windows, 'take' | 'hear'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: { error(fields: object, message: string): void };
}

/** Milliseconds without a sign of life after which a router counts as silent, and after which it is forgotten. */
export const SILENT = 5000;
export const FORGOTTEN = 60_000;
/** How long what was measured lies there for others to read, in milliseconds. */
const KEPT = 30_000;

const ALIVE = 'alive';

const count = z.number().nonnegative();
/** What a router has measured, as another one takes it in. */
export const delta = z.object({
  at: z.number(),
  sides: z.array(
    z.object({
      feature: z.string(),
      upstream: z.string(),
      compared: z.boolean(),
      requests: count,
      errors: count,
      open: count,
      buckets: z.array(z.tuple([z.number().int().nonnegative(), count])),
    }),
  ),
  parity: z.array(
    z.object({
      feature: z.string(),
      counts: z.object({ match: count, mismatch: count, ignored: count, incomparable: count }),
    }),
  ),
});

/**
 * Each router has a folder of its own below `windows/`, in which only it writes: while there are others, a file for each second with traffic, and always
 * one whose time is its sign of life. All read all others, so that every router knows the whole, whichever of them ramps or is asked to promote. A router that
 * begins knows the last half minute of the others; one that reads late loses what was cleared away, which is the same on both sides of a comparison.
 */
export function openPeers({ stateDir, windows, now, log }: PeersOptions): Peers {
  const folder = join(stateDir, 'windows');
  const me = routerName();
  const own = join(folder, me);
  /** Number of the last file that was read, by router. */
  const read = new Map<string, number>();
  let silent: readonly string[] = [];
  let written = 0;
  /** What was written and not cleared away, the oldest first. */
  const lying: { readonly number: number; readonly at: number }[] = [];
  let complaint = '';

  /** Also after having been stopped for so long that others cleared the folder away. */
  function giveSign(): void {
    mkdirSync(own, { recursive: true, mode: 0o700 });
    writeFileSync(join(own, ALIVE), '');
    utimesSync(join(own, ALIVE), now() / 1000, now() / 1000);
  }

  function tell(hasListeners: boolean): void {
    const taken = windows.take();
    if (hasListeners && (taken.sides.length > 0 || taken.parity.length > 0)) {
      // Never read half; durable it need not be, for the windows of a router that dies are gone anyway.
      const temporary = join(own, 'next');
      writeFileSync(temporary, JSON.stringify(taken), { mode: 0o600 });
      renameSync(temporary, join(own, String(++written)));
      lying.push({ number: written, at: now() });
    }
    while (lying[0] && now() - lying[0].at > KEPT)
      rmSync(join(own, String(lying.shift()!.number)), { force: true });
  }

  function hear(router: string): void {
    const last = read.get(router) ?? 0;
    for (const number of numbers(join(folder, router))) {
      if (number <= last) continue;
      read.set(router, number);
      const text = readIfThere(join(folder, router, String(number)));
      if (text !== null) windows.hear(delta.parse(JSON.parse(text)));
    }
  }

  function listen(others: readonly string[]): void {
    const quiet: string[] = [];
    for (const router of others) {
      hear(router);
      // One that left took its sign away; what it said last stays for those who have not read it yet.
      const sign = timeOf(join(folder, router, ALIVE));
      if (now() - (sign || timeOf(join(folder, router))) > FORGOTTEN) forget(router);
      else if (sign > 0 && now() - sign > SILENT) quiet.push(router);
    }
    silent = quiet;
  }

  function forget(router: string): void {
    rmSync(join(folder, router), { recursive: true, force: true });
    read.delete(router);
  }

  function exchange(): void {
    try {
      giveSign();
      const others = readdirSync(folder).filter((name) => name !== me);
      tell(others.length > 0);
      listen(others);
      complaint = '';
    } catch (error) {
      // Serving needs none of this, and gates count what is known.
      const { message } = error as Error;
      if (message !== complaint)
        log.error({ err: error }, 'what routers measure is not exchanged; it is tried again');
      complaint = message;
    }
  }

  return {
    exchange,
    silent: () => silent,
    close() {
      exchange();
      rmSync(join(own, ALIVE), { force: true });
    },
  };
}

/** What a router is called among others: host, pid, and what is never given twice. */
export function routerName(): string {
  return `${hostname().replace(/[^\w.-]/g, '_')}.${process.pid}.${randomUUID().slice(0, 8)}`;
}

/** Numbers of the files that hold what was measured, in order. */
function numbers(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** When a file was written; 0 when it is gone. */
function timeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
