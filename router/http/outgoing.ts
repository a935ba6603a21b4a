import type { AnswerHead } from './answer.ts';
import { VIA } from './forwarded.ts';
import type { ReceivedHead } from './head.ts';
import type { RequestIds } from './ids.ts';
import { writeLatin1 } from './latin1.ts';
import { FIELD, HOP_BY_HOP } from './names.ts';
import type { Target } from './target.ts';

/**
 * Outgoing heads. Lines that pass are copied as they came, order and spelling kept, in runs as long as possible; what is dropped ends a run.
 * All heads are built in SCRATCH and are gone at the next one: whoever writes a head copies it, or writes it before anything else runs.
 */
export let SCRATCH = Buffer.allocUnsafeSlow(128 * 1024);

/** For who gave SCRATCH away: the next head is built in other memory. */
export function renewScratch(): void {
  SCRATCH = Buffer.allocUnsafeSlow(SCRATCH.length);
}

/** What is added to a request, and what its peer's word is worth. */
export interface RequestLines {
  /** Lines of forwarded.ts. */
  readonly forwarded: string;
  readonly ids: RequestIds;
  /** The peer is a trusted proxy: its other X-Forwarded-* lines pass. */
  readonly isTrusted: boolean;
}

/** Lower-case names of further headers, and names of cookies, that stay here. */
export interface Stripped {
  readonly stripHeaders: readonly string[];
  readonly stripCookies: readonly string[];
}

/** 1: the line never passes. */
const REQUEST_DROP = HOP_BY_HOP.slice();
for (const id of [
  FIELD.forwardedFor,
  FIELD.forwardedHost,
  FIELD.forwardedProto,
  FIELD.forwarded,
  FIELD.strangler,
])
  REQUEST_DROP[id] = 1;

/** Builds the head that goes to the upstream; `defaultHost` is for an HTTP/1.0 request without Host. Returns its length in SCRATCH. */
export function writeRequestHead(
  head: ReceivedHead,
  target: Target,
  rules: RequestLines,
  { stripHeaders, stripCookies }: Stripped,
  defaultHost: string,
): number {
  const { bytes, fields } = head;
  let at = 0;
  let run = head.start;
  if (!target.isVerbatim || head.minor !== 1) {
    at = writeLatin1(SCRATCH, `${head.method} ${target.path}${target.query} HTTP/1.1\r\n`, 0);
    run = fields.count > 0 ? fields.start(0) : fields.end;
  }
  const strips = stripHeaders.length > 0;
  for (let index = 0; index < fields.count; index++) {
    const id = fields.ids[index]!;
    let replacement: string | null = null;
    if (id === FIELD.other) {
      if (fields.nominated[index] === 0 && !(strips && isStripped(head, index, stripHeaders))) continue;
    } else if (id === FIELD.host && target.authority !== null) replacement = `Host: ${target.authority}\r\n`;
    // Valid however it is spelt, but a tab around the value is enough for servers to disagree on whether there is a body.
    else if (id === FIELD.transferEncoding) replacement = 'Transfer-Encoding: chunked\r\n';
    else if (id === FIELD.cookie && fields.nominated[index] === 0 && stripCookies.length > 0) {
      replacement = withoutCookies(fields.value(bytes, index), stripCookies);
      if (replacement === null) continue;
    } else if (!isDropped(head, index, id, rules) && !(strips && isStripped(head, index, stripHeaders)))
      continue;
    at += bytes.copy(SCRATCH, at, run, fields.start(index));
    if (replacement !== null) at = writeLatin1(SCRATCH, replacement, at);
    run = fields.lineEnd(index);
  }
  at += bytes.copy(SCRATCH, at, run, fields.end);
  if (head.hostLine === -1) at = writeLatin1(SCRATCH, `Host: ${target.authority ?? defaultHost}\r\n`, at);
  if (head.isWebSocket) at = writeLatin1(SCRATCH, 'Connection: Upgrade\r\nUpgrade: websocket\r\n', at);
  return writeLatin1(SCRATCH, `${rules.forwarded}${rules.ids.lines}\r\n`, at);
}

function isDropped(head: ReceivedHead, index: number, id: number, rules: RequestLines): boolean {
  if (REQUEST_DROP[id] === 1 || head.fields.nominated[index] === 1) return true;
  if (id === FIELD.forwardedOther) return !rules.isTrusted;
  if (id === FIELD.requestId) return !rules.ids.keepsRequestId;
  if (id === FIELD.traceparent || id === FIELD.tracestate) return !rules.ids.keepsTrace;
  return id === FIELD.expect && !head.expectsContinue;
}

function isStripped(head: ReceivedHead, index: number, names: readonly string[]): boolean {
  for (const name of names) if (head.fields.isNamed(head.bytes, index, name)) return true;
  return false;
}

/** The Cookie line without some cookies: null when it holds none of them, an empty string when nothing is left. */
function withoutCookies(value: string, names: readonly string[]): string | null {
  if (!names.some((name) => value.includes(`${name}=`))) return null;
  const pairs = value.split(';').map((pair) => pair.trim());
  const kept = pairs.filter((pair) => !names.includes(pair.split('=', 1)[0]!.trim()));
  if (kept.length === pairs.length) return null;
  return kept.length === 0 ? '' : `Cookie: ${kept.join('; ')}\r\n`;
}

/** How an answer goes out. */
export interface AnswerRules {
  /** Lines to add, each with its CRLF. */
  readonly lines: string;
  /** X-Request-Id of the request, added unless the upstream sent one. */
  readonly requestId: string;
  /** The Transfer-Encoding line stays: the body passes in its own chunks. */
  readonly keepsChunks: boolean;
  /** The Content-Length line stays. */
  readonly keepsLength: boolean;
}

/** Builds the head that goes to the client. Returns its length in SCRATCH. */
export function writeAnswerHead(head: AnswerHead, rules: AnswerRules): number {
  let at = 0;
  let run = head.start;
  const { bytes, fields } = head;
  if (head.minor !== 1) {
    at = writeLatin1(SCRATCH, 'HTTP/1.1', 0);
    run += 8;
  }
  let hasRequestId = false;
  for (let index = 0; index < fields.count; index++) {
    const id = fields.ids[index]!;
    if (fields.nominated[index] === 0) {
      if (id === FIELD.other) continue;
      if (id === FIELD.requestId) hasRequestId = true;
      if (
        id === FIELD.transferEncoding
          ? rules.keepsChunks
          : id === FIELD.contentLength
            ? rules.keepsLength
            : HOP_BY_HOP[id] === 0
      )
        continue;
    }
    at += bytes.copy(SCRATCH, at, run, fields.start(index));
    run = fields.lineEnd(index);
  }
  at += bytes.copy(SCRATCH, at, run, fields.end);
  const id = hasRequestId ? '' : `X-Request-Id: ${rules.requestId}\r\n`;
  return writeLatin1(SCRATCH, `Via: 1.${head.minor} ${VIA}\r\n${id}${rules.lines}\r\n`, at);
}

/** Builds the head of an interim answer (1xx): the upstream's, without what belongs to its hop. Returns its length in SCRATCH. */
export function writeInterimHead(head: AnswerHead): number {
  const { bytes, fields } = head;
  let at = bytes.copy(SCRATCH, 0, head.start, head.lineEnd);
  for (let index = 0; index < fields.count; index++) {
    const id = fields.ids[index]!;
    if (
      HOP_BY_HOP[id] === 1 ||
      id === FIELD.transferEncoding ||
      id === FIELD.contentLength ||
      fields.nominated[index] === 1
    )
      continue;
    at += bytes.copy(SCRATCH, at, fields.start(index), fields.lineEnd(index));
  }
  return writeLatin1(SCRATCH, '\r\n', at);
}
