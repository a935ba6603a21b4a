import type { IncomingMessage, ServerResponse } from 'node:http';
import { addedLines } from '../forward/answer-lines.ts';
import type { Route } from '../forward/plan.ts';
import { AnswerHead, isPrivatePage, readAnswer } from '../http/answer.ts';
import { writeAnswerHead } from '../http/outgoing.ts';
import { headBytes, scratchLines, type HeadLine } from './head-lines.ts';

const HEAD = new AnswerHead();

/** The lines of a service's answer as the client gets them, the router's own among them; null when the head is not valid. */
export function answerLines(answer: IncomingMessage, route: Route, requestId: string): HeadLine[] | null {
  const { httpVersion, statusCode, statusMessage } = answer;
  const bytes = headBytes(`HTTP/${httpVersion} ${statusCode} ${statusMessage}`, answer.rawHeaders);
  if (readAnswer(bytes, 0, bytes.length, HEAD) <= 0) return null;
  return scratchLines(
    writeAnswerHead(HEAD, {
      lines: addedLines(HEAD, route, 1, false),
      requestId,
      keepsChunks: false,
      keepsLength: statusCode !== 204,
    }),
  );
}

/** Headers to which an application that sits before us may have contributed already. */
const ADDED = new Set(['set-cookie', 'vary', 'server-timing', 'via']);

/** Puts header lines on an answer. They replace what earlier middleware has set, except where both can stand. */
export function setLines(res: ServerResponse, lines: readonly HeadLine[]): void {
  const seen = new Set<string>();
  for (const [spelt, value] of lines) {
    const name = spelt.toLowerCase();
    if (seen.has(name) || ADDED.has(name)) append(res, spelt, value);
    else res.setHeader(spelt, value);
    seen.add(name);
  }
}

/** Not `appendHeader`: that one pushes into the very list that the application has set, which may be a constant of its own. */
function append(res: ServerResponse, name: string, value: string): void {
  const before = res.getHeader(name);
  res.setHeader(name, before === undefined ? value : [before, value].flat().map(String));
}

type WriteHead = (status: number, ...rest: readonly unknown[]) => ServerResponse;

/**
 * Adds to the monolith's own answer what the router would add: X-Request-Id, Server-Timing, and the issued cookie on pages that no shared cache
 * may keep. It has to be done when the head is written, for only then is it known what kind of page it is.
 */
export function decorate(res: ServerResponse, route: Route, requestId: string): void {
  const writeHead = res.writeHead as WriteHead;
  let isDone = false;
  const decorated: WriteHead = (status, ...rest) => {
    if (isDone || res.headersSent) return writeHead.call(res, status, ...rest);
    isDone = true;
    const message = typeof rest[0] === 'string' ? [rest[0]] : [];
    setLines(res, linesOf(rest[1] ?? (message.length > 0 ? undefined : rest[0])));
    res.statusCode = status;
    if (!res.hasHeader('x-request-id')) res.setHeader('X-Request-Id', requestId);
    if (route.serverTiming !== null) append(res, 'Server-Timing', route.serverTiming);
    if (route.issueCookie !== null && isPrivate(res)) append(res, 'Set-Cookie', route.issueCookie());
    return writeHead.call(res, status, ...message);
  };
  res.writeHead = decorated as typeof res.writeHead;
}

function isPrivate(res: ServerResponse): boolean {
  const raw = ['Content-Type', 'Cache-Control'].flatMap((name) =>
    [res.getHeader(name) ?? []].flat().flatMap((value) => [name, String(value)]),
  );
  const bytes = headBytes('HTTP/1.1 200 OK', raw);
  return readAnswer(bytes, 0, bytes.length, HEAD) > 0 && isPrivatePage(HEAD);
}

/** Headers as writeHead takes them: an object, a flat list or a list of pairs. */
function linesOf(headers: unknown): HeadLine[] {
  if (headers === undefined || headers === null) return [];
  const pairs = Array.isArray(headers) ? pairsOf(headers) : Object.entries(headers);
  return pairs.flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one): HeadLine => [name, String(one)]),
  );
}

function pairsOf(list: readonly unknown[]): [string, unknown][] {
  if (Array.isArray(list[0])) return list as [string, unknown][];
  return Array.from({ length: list.length / 2 }, (_, index) => [
    String(list[2 * index]),
    list[2 * index + 1],
  ]);
}
