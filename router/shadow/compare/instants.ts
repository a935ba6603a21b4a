/** Two instants this far apart, in milliseconds, may be one: the sides are asked one after the other. */
const APART = 15_000;
/** An instant this close to the comparison was made for the answer, in milliseconds; an older one is data. */
const FRESH = 300_000;

/**
 * True when both values say "now": the clock went on between two answers, and that is no difference. Asking twice does not find it when the unit
 * is a second, for both answers mostly fall into the same one.
 */
export function isSameInstant(one: unknown, other: unknown, now: number): boolean {
  const a = instant(one, now);
  const b = instant(other, now);
  return a !== null && b !== null && Math.abs(a - b) <= APART;
}

function instant(value: unknown, now: number): number | null {
  let at: number;
  if (typeof value === 'number') at = value > 1e11 ? value : value * 1000;
  else if (typeof value === 'string' && isDate(value)) at = Date.parse(value);
  else return null;
  return Math.abs(at - now) <= FRESH ? at : null;
}

/** ISO 8601 with a time, or an HTTP date (RFC 9110 section 5.6.7): nothing else that Date.parse would take for one. */
function isDate(text: string): boolean {
  return (
    text.length < 40 &&
    /^(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:)/.test(
      text,
    )
  );
}
