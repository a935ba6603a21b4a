import { FAULT } from './faults.ts';
import type { ReceivedHead } from './head.ts';
import { isAuthority } from './host.ts';
import { latin1 } from './latin1.ts';
import { canonicalPath, endOfPlainPath, hasTooManyReadings } from './path.ts';

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

/** A target that is not plainly a path: the other forms, or a path that has to be looked at closely. */
function readRareTarget(text: string, method: string, target: Target): number {
  const canonical = canonicalise(text, method);
  if (typeof canonical === 'number') return canonical;
  Object.assign(target, canonical);
  target.isVerbatim = canonical.authority === null && canonical.path + canonical.query === text;
  return 0;
}

/** Canonical form of a target of visible ASCII; or the number of a fault. */
function canonicalise(text: string, method: string): Omit<Target, 'isVerbatim'> | number {
  const asterisk = { path: '*', query: '', readings: null };
  if (text === '*') return method === 'OPTIONS' ? { ...asterisk, authority: null } : FAULT.TARGET;
  let rest = text;
  let authority: string | null = null;
  if (!text.startsWith('/')) {
    const found = /^https?:\/\/([^/?]*)(.*)$/i.exec(text);
    if (!found || !isAuthority(found[1]!)) return FAULT.TARGET;
    authority = found[1]!;
    rest = found[2]!;
    // OPTIONS on an authority without a path is OPTIONS * (RFC 9112 section 3.2.4).
    if (rest === '' && method === 'OPTIONS') return { ...asterisk, authority };
    if (!rest.startsWith('/')) rest = `/${rest}`;
  }
  const question = rest.indexOf('?');
  const raw = question === -1 ? rest : rest.slice(0, question);
  const canonical = canonicalPath(raw);
  if (hasTooManyReadings(canonical)) return FAULT.TARGET_AMBIGUOUS;
  return { ...canonical, query: question === -1 ? '' : rest.slice(question), authority };
}

/** What the data path would make of a target given as text; null when it would refuse it. */
export function canonicalTarget(text: string, method = 'GET'): Omit<Target, 'isVerbatim'> | null {
  if (text === '' || !/^[\x21\x22\x24-\x7e]+$/.test(text)) return null;
  const canonical = canonicalise(text, method);
  return typeof canonical === 'number' ? null : canonical;
}
