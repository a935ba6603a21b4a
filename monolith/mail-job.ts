import { confirmation, messageIdOf, type Confirmation, type Confirmed } from './mail-text.ts';

/** A message of the queue `mail`, as the email-api reads it. */
export interface MailJob {
  readonly version: 1;
  /** The Message-ID of the mail; a job that comes twice has it twice. */
  readonly id: string;
  readonly kind: 'order-confirmation';
  readonly to: string;
  readonly order: Confirmed;
  /** What the monolith sends by itself: the email-api compares it with what it would send, and sends nothing. Null: the email-api sends. */
  readonly shadow: Confirmation | null;
}

/** A job that would put more into a mail's head than it says. Nothing was queued. */
export class UnsafeJob extends Error {}

/** Characters of a line of a mail's head; what is longer is no line of ours. */
const LONGEST_LINE = 500;
/** One recipient, after RFC 5322's dot-atoms and beyond ASCII too: nothing that separates addresses, opens a comment, ends a line or can't be seen. */
const ADDRESS = /^[^\s\p{C}@<>",;:\\[\]()]{1,64}@[^\s\p{C}@<>",;:\\[\]()]{1,252}$/u;

/** The job of an order's confirmation. `isShadow`: the monolith sends it, the email-api is to compare. Throws UnsafeJob. */
export function jobOf(order: Confirmed, to: string, isShadow: boolean): MailJob {
  const job: MailJob = {
    version: 1,
    id: messageIdOf(order.id),
    kind: 'order-confirmation',
    to,
    order,
    shadow: isShadow ? confirmation(order, to) : null,
  };
  refuseUnsafe(job);
  return job;
}

/**
 * Throws UnsafeJob, which names the field, when a string that ends in a mail's head could begin a line of its own there, or an address be more than one
 * (`a@b\r\nBcc: c@d`, `a@b, c@d`). Every driver calls it before it queues; the words of a mail's body may hold what they like.
 */
export function refuseUnsafe(job: MailJob): void {
  address('to', job.to);
  line('id', job.id);
  if (!/^<[^<>@\s]+@[^<>@\s]+>$/.test(job.id))
    throw new UnsafeJob('id: not a Message-ID like <order-17@shop.example>');
  line('order.id', job.order.id);
  if (!job.shadow) return;
  address('shadow.to', job.shadow.to);
  line('shadow.from', job.shadow.from);
  line('shadow.subject', job.shadow.subject);
}

function line(field: string, text: string): void {
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text))
    throw new UnsafeJob(
      `${field}: holds a control character, which would begin a line of its own in the mail's head`,
    );
  if (text.length > LONGEST_LINE) throw new UnsafeJob(`${field}: longer than ${LONGEST_LINE} characters`);
}

function address(field: string, text: string): void {
  line(field, text);
  if (!ADDRESS.test(text))
    throw new UnsafeJob(`${field}: not one address and nothing else, as in ana@example.com`);
}
