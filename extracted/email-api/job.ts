/** A mail to be sent, or, where `shadow` is there, only to be rendered and compared with what was sent. */
export interface MailJob {
  /** The Message-ID, with its angle brackets. */
  readonly id: string;
  readonly to: string;
  readonly order: OrderFacts;
  /** What the monolith rendered and sends by itself; null when the mail is ours to send. */
  readonly shadow: RenderedMail | null;
}

export interface OrderFacts {
  readonly id: string;
  readonly quantity: number;
  readonly product: string;
  readonly totalCents: number;
  /** ISO 4217. */
  readonly currency: string;
}

/** A mail as two sides compare it. */
export interface RenderedMail {
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** A job that no later attempt can make good. The message names every fault. */
export class Malformed extends Error {}

/**
 * Letters of one address, after RFC 5322's dot-atoms, and beyond ASCII too. Nothing that separates addresses, opens a comment or ends a line: what
 * passes is one recipient and stays inside its header.
 */
const ADDRESS = /^[^\s\p{C}@<>",;:\\[\]()]{1,64}@[^\s\p{C}@<>",;:\\[\]()]{1,252}$/u;
const MESSAGE_ID = /^<[!-;=?A-~]{1,120}@[!-;=?A-~]{1,120}>$/;
/** What would end a header, or hide in it: control characters of all planes, and the two separators that some programs break lines at. */
const CONTROL = /[\p{Cc}\u2028\u2029]/u;

/** Throws Malformed. `body`: what the queue held, parsed; unknown further fields are ignored, as an older consumer meets a newer producer. */
export function readJob(body: unknown): MailJob {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Malformed(`the message is not a JSON object: ${excerpt(body)}`);
  const { version, id, kind, to, order, shadow = null } = body as Record<string, unknown>;
  // The other fields of a version that is not known may mean anything.
  if (version !== 1) throw new Malformed(`version: ${excerpt(version)} is not 1, the one that is known here`);
  const facts = (typeof order === 'object' && order !== null ? order : {}) as Record<string, unknown>;
  const faults = [
    fault('kind', kind, kind === 'order-confirmation', 'order-confirmation'),
    fault('id', id, matches(id, MESSAGE_ID), 'a Message-ID like <order-17@shop.example>'),
    fault('to', to, matches(to, ADDRESS), 'one address like ana@example.com'),
    fault('order.id', facts['id'], isHeader(facts['id'], 100), 'a text that fits a subject'),
    fault('order.quantity', facts['quantity'], isWhole(facts['quantity'], 1), 'a whole number from 1 on'),
    fault('order.product', facts['product'], isText(facts['product'], 1000), 'a text'),
    fault(
      'order.totalCents',
      facts['totalCents'],
      isWhole(facts['totalCents'], 0),
      'a whole number from 0 on',
    ),
    fault(
      'order.currency',
      facts['currency'],
      matches(facts['currency'], /^[A-Z]{3}$/),
      'three capital letters',
    ),
    shadow === null ? [] : shadowFaults(shadow),
  ].flat();
  if (faults.length > 0) throw new Malformed(faults.join('; '));
  return body as MailJob & { shadow: RenderedMail | null };
}

function shadowFaults(shadow: unknown): string[] {
  const fields = (typeof shadow === 'object' && shadow !== null ? shadow : {}) as Record<string, unknown>;
  return ['from', 'to', 'subject', 'text', 'html'].flatMap((name) =>
    fault(`shadow.${name}`, fields[name], typeof fields[name] === 'string', 'a text'),
  );
}

function fault(path: string, value: unknown, isRight: boolean, expected: string): string[] {
  return isRight ? [] : [`${path}: ${excerpt(value)} is not ${expected}`];
}

/** Header values of a mail, checked once more where they are written: whatever made them, none may end its line. Throws Malformed. */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  const faults = Object.entries(headers).flatMap(([name, value]) =>
    fault(name, value, !CONTROL.test(value), 'free of control characters'),
  );
  if (faults.length > 0) throw new Malformed(faults.join('; '));
}

const matches = (value: unknown, pattern: RegExp): boolean =>
  typeof value === 'string' && pattern.test(value);
const isText = (value: unknown, most: number): boolean =>
  typeof value === 'string' && value.length > 0 && value.length <= most;
const isHeader = (value: unknown, most: number): boolean =>
  isText(value, most) && !CONTROL.test(value as string);
const isWhole = (value: unknown, least: number): boolean =>
  Number.isSafeInteger(value) && (value as number) >= least;

/** Shortened, and with its control characters escaped: it goes to logs and terminals. */
function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
