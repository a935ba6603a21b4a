import { FAULT } from './faults.ts';
import type { ReceivedHead } from './head.ts';
import { isAuthority } from './host.ts';
import { latin1 } from './latin1.ts';
import { MAX_AMBIGUOUS, canonicalPath, endOfPlainPath, isAmbiguous } from './path.ts';

/** Where a request goes, whatever form its target had (RFC 9112 section 3.2). */
export interface Target {
  path: string;
  /** With its leading `?`, or empty; never touched. */
  query: string;
  readings: readonly string[] | null;
  /** Authority of an absolute-form target, which replaces Host (section 3.2.2); null otherwise. */
  authority: string | null;
  /** Path and query are, byte for byte, what stands in the request line. */
  isVerbatim: boolean;
}

/** Reads the target of a head into `target`. Returns 0, or the number of a fault. */
export function readTarget(head: ReceivedHead, target: Target): number {
  const { bytes, targetStart, targetEnd } = head;
  target.authority = null;
  target.readings = null;
  const plain = endOfPlainPath(bytes, targetStart, targetEnd);
  if (plain !== -1) {
    target.path = latin1(bytes, targetStart, plain);
    target.query = plain === targetEnd ? '' : latin1(bytes, plain, targetEnd);
    target.isVerbatim = true;
    return 0;
  }
  return readRareTarget(latin1(bytes, targetStart, targetEnd), head.method, target);
}

function readRareTarget(text: string, method: string, target: Target): number {
  target.isVerbatim = false;
  let rest = text;
  if (!text.startsWith('/')) {
    if (text === '*') return asterisk(method, target, true);
    const found = /^https?:\/\/([^/?]*)(.*)$/i.exec(text);
    if (!found || !isAuthority(found[1]!)) return FAULT.TARGET;
    target.authority = found[1]!;
    rest = found[2]!;
    // OPTIONS on an authority without a path is OPTIONS * (RFC 9112 section 3.2.4).
    if (rest === '' && method === 'OPTIONS') return asterisk(method, target, false);
    if (!rest.startsWith('/')) rest = `/${rest}`;
  }
  const question = rest.indexOf('?');
  const raw = question === -1 ? rest : rest.slice(0, question);
  target.query = question === -1 ? '' : rest.slice(question);
  if (raw.length > MAX_AMBIGUOUS && isAmbiguous(raw)) return FAULT.TARGET_TOO_LONG;
  const canonical = canonicalPath(raw);
  target.path = canonical.path;
  target.readings = canonical.readings;
  return 0;
}

function asterisk(method: string, target: Target, isVerbatim: boolean): number {
  if (method !== 'OPTIONS') return FAULT.TARGET;
  target.path = '*';
  target.query = '';
  target.isVerbatim = isVerbatim;
  return 0;
}
