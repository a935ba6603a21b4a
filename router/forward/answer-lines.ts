import { fieldOf, isPrivatePage, type AnswerHead } from '../http/answer.ts';
import type { ReceivedHead } from '../http/head.ts';
import type { Route } from './plan.ts';

/** Lines that are added to an upstream's answer, each with its CRLF. `minor` is the client's, `closes` says that no other request can follow. */
export function addedLines(head: AnswerHead, route: Route, minor: number, closes: boolean): string {
  let lines = route.serverTiming === null ? '' : `Server-Timing: ${route.serverTiming}\r\n`;
  if (route.issueCookie !== null && isPrivatePage(head)) lines += `Set-Cookie: ${route.issueCookie()}\r\n`;
  if (route.homes !== null && head.status < 400 && !isMirrored(head))
    lines += `Set-Cookie: ${route.homes.pin(route.upstream)}\r\n`;
  if (closes) lines += 'Connection: close\r\n';
  else if (minor === 0) lines += 'Connection: keep-alive\r\n';
  return lines;
}

/** True when the side says that the other one has the write already: then the client may read at either. */
function isMirrored(head: AnswerHead): boolean {
  return fieldOf(head, 'strangler-mirrored') === '1';
}

/** True when no other request can follow on the client's connection: it was asked for, or one of the two bodies has no end that both know. */
export function isLast(
  request: ReceivedHead,
  isRequestDone: boolean,
  answer: AnswerHead,
  isUntilClose: boolean,
): boolean {
  return !request.keepAlive || !isRequestDone || (request.minor === 0 && (isUntilClose || answer.chunked));
}
