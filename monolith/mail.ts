import type pg from 'pg';
import type { Counter } from '@prometheus-io/client';
import type { AskFlag } from './flags.ts';
import { jobOf, type MailJob } from './mail-job.ts';
import { startMailLoop, type LoopOptions, type MailLoop } from './mail-loop.ts';
import type { Confirmed } from './mail-text.ts';
import type { Reporter } from './observations.ts';
import type { MailQueue } from './queue.ts';

export type { MailLoop };

/** Who sends an order's confirmation, and what is to be written with the order so that it comes true. */
export interface Sender {
  readonly by: 'monolith' | 'email-api';
  /** Within the order's own transaction; null when nothing is to be written. Rejects as MailQueue.enqueue. */
  readonly enqueue: ((client: pg.ClientBase, order: Confirmed, to: string) => Promise<void>) | null;
}

export interface Mail extends MailLoop {
  /** Asks who is to send the mail to an address. Asked before the order's transaction begins; never rejects. */
  senderFor(address: string): Promise<Sender>;
}

export interface MailOptions extends Omit<LoopOptions, 'attempted'> {
  /** Absent: no flag is asked, and the monolith sends all mail by itself. */
  readonly seam?: {
    readonly ask: AskFlag;
    readonly queue: MailQueue;
    readonly reporter: Pick<Reporter, 'report'>;
    readonly decided?: Pick<Counter<'sender'>, 'inc'>;
  };
}

const FLAG = 'mail';
const MONOLITH: Sender = { by: 'monolith', enqueue: null };

/**
 * The shop's mail, and the one place in the shop that knows of a flag: whether an order's confirmation is sent from here or by the email-api. It is asked
 * once for an order and kept with it. While nobody answers, mail is sent from here.
 */
export function startMail({ seam, ...options }: MailOptions): Mail {
  const loop = startMailLoop({
    ...options,
    attempted: (attempt) => seam?.reporter.report({ side: 'monolith', ...attempt }),
  });
  return {
    ...loop,
    async senderFor(address) {
      if (!seam) return MONOLITH;
      // One address is one customer, however it is typed, and whether or not somebody is logged in.
      const { value, metadata } = await seam.ask(FLAG, MONOLITH.by, address.toLowerCase());
      const isTheirs = value === 'email-api';
      const isShadow = !isTheirs && metadata['shadow'] === true;
      seam.decided?.inc({ sender: isShadow ? 'monolith, shadowed' : isTheirs ? 'email-api' : 'monolith' });
      if (!isTheirs && !isShadow) return MONOLITH;
      return {
        by: isTheirs ? 'email-api' : 'monolith',
        enqueue: isTheirs
          ? async (client, order, to) => seam.queue.enqueue(client, jobOf(order, to, false))
          : // What is only compared must not keep anybody from ordering.
            async (client, order, to) => seam.queue.enqueue(client, shadowOf(order, to)),
      };
    },
  };
}

function shadowOf(order: Confirmed, to: string): MailJob {
  try {
    return jobOf(order, to, true);
  } catch (error) {
    throw new Error('this mail can not be compared', { cause: error });
  }
}
