import { isPrivatePage, type AnswerHead } from '../http/answer.ts';
import type { Route } from './plan.ts';

/** Lines that are added to an upstream's answer, each with its CRLF. `minor` is the client's, `closes` says that no other request can follow. */
export function addedLines(head: AnswerHead, route: Route, minor: number, closes: boolean): string {
  let lines = route.serverTiming === null ? '' : `Server-Timing: ${route.serverTiming}\r\n`;
  if (route.issueCookie !== null && isPrivatePage(head)) lines += `Set-Cookie: ${route.issueCookie}\r\n`;
  if (closes) lines += 'Connection: close\r\n';
  else if (minor === 0) lines += 'Connection: keep-alive\r\n';
  return lines;
}
