import { generalised, shown, type Findings } from './difference.ts';
import { isSameInstant } from './instants.ts';

/** Deepest nesting that is compared; deeper is compared as text of the value. */
const MAX_DEPTH = 64;

type Json = null | boolean | number | string | bigint | Json[] | { readonly [name: string]: Json };

/** Deepest nesting that is read as JSON: what walks through it calls itself. */
const MAX_NESTING = 256;

/** The value of a JSON text; undefined when it is none, or nested too deep. Whole numbers beyond 2^53 keep their digits. */
export function parseJson(text: string): Json | undefined {
  if (isTooDeep(text)) return undefined;
  try {
    if (!/\d{16}/.test(text)) return JSON.parse(text) as Json;
    return JSON.parse(text, (_key, value: Json, context?: { readonly source?: string }) =>
      typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
        ? BigInt(context!.source!)
        : value,
    ) as Json;
  } catch {
    return undefined;
  }
}

/** Counts brackets in texts too, so it may see depth where there is none; never the other way round but for a bracket too many in a text. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x5d || code === 0x7d) depth = Math.max(0, depth - 1);
  }
  return deepest > MAX_NESTING;
}

/** Compares two JSON values path by path. `now`: milliseconds since the epoch. */
export function compareJson(primary: Json, shadow: Json, now: number, findings: Findings): void {
  const places = findings.places;

  function walk(one: Json | undefined, other: Json | undefined, path: string, depth: number): void {
    if (findings.isFull) return;
    const place = generalised(path);
    if (places.has(place)) return void findings.masked++;
    if (depth < MAX_DEPTH && Array.isArray(one) && Array.isArray(other)) return list(one, other, path, depth);
    if (depth < MAX_DEPTH && isObject(one) && isObject(other)) {
      const names = new Set([...Object.keys(one), ...Object.keys(other)]);
      if (names.size === 0) findings.compared++;
      for (const name of names) walk(own(one, name), own(other, name), `${path}${step(name)}`, depth + 1);
      return;
    }
    findings.compared++;
    if (isSame(one, other, now)) return;
    findings.add({
      kind: 'json',
      where: path,
      ...(one === undefined ? {} : { primary: value(one) }),
      ...(other === undefined ? {} : { shadow: value(other) }),
    });
  }

  function list(one: readonly Json[], other: readonly Json[], path: string, depth: number): void {
    if (one.length === 0 && other.length === 0) findings.compared++;
    const element = generalised(`${path}[0]`);
    const left = one.map((each) => canonical(each, element, places));
    const right = other.map((each) => canonical(each, element, places));
    const { onlyLeft, onlyRight } = unpaired(left, right);
    const isReordered =
      onlyLeft.length + onlyRight.length === 0 && left.some((each, at) => each !== right[at]);
    const order = { kind: 'order', where: path } as const;
    if (isReordered && !places.has(element)) {
      findings.compared += one.length;
      return findings.add({ ...order, primary: shown(one.map(value)), shadow: shown(other.map(value)) });
    }
    if (one.length !== other.length)
      findings.add({ kind: 'json', where: `${path}.length`, primary: one.length, shadow: other.length });
    // Where the order is noise, what is left over on both sides is compared; else each with the one at its own place.
    const isUnordered = places.has(`order ${generalised(path)}`);
    const pairs = isUnordered
      ? onlyLeft.slice(0, onlyRight.length).map((at, index) => [at, onlyRight[index]!] as const)
      : one.slice(0, other.length).map((_, at) => [at, at] as const);
    if (isUnordered) findings.compared += one.length - onlyLeft.length;
    for (const [a, b] of pairs) walk(one[a], other[b], `${path}[${a}]`, depth + 1);
  }

  walk(primary, shadow, '$', 0);
}

/** Positions of the elements that have no equal on the other side, each equal counted once. */
function unpaired(
  left: readonly string[],
  right: readonly string[],
): { onlyLeft: number[]; onlyRight: number[] } {
  const waiting = new Map<string, number[]>();
  right.forEach((each, at) => waiting.set(each, [...(waiting.get(each) ?? []), at]));
  const onlyLeft: number[] = [];
  left.forEach((each, at) => {
    const equals = waiting.get(each);
    if (equals === undefined || equals.length === 0) onlyLeft.push(at);
    else equals.pop();
  });
  return { onlyLeft, onlyRight: [...waiting.values()].flat().toSorted((a, b) => a - b) };
}

/** One text for all values that are the same but for the order of names and for noise. */
function canonical(value: Json, place: string, places: ReadonlySet<string>): string {
  if (places.has(place)) return '~';
  if (Array.isArray(value))
    return `[${value.map((each) => canonical(each, `${place}[*]`, places)).join(',')}]`;
  if (!isObject(value)) return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
  const names = Object.keys(value).toSorted();
  return `{${names
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name]!, `${place}${step(name)}`, places)}`)
    .join(',')}}`;
}

function isSame(one: Json | undefined, other: Json | undefined, now: number): boolean {
  if (one === other || isSameInstant(one, other, now)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  return canonical(one, '', NONE) === canonical(other, '', NONE);
}

function isObject(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(value: { readonly [name: string]: Json }, name: string): Json | undefined {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function step(name: string): string {
  return /^[A-Za-z_][\w-]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

function value(json: Json): ReturnType<typeof shown> {
  if (typeof json === 'bigint') return String(json);
  return shown(typeof json === 'object' && json !== null ? JSON.parse(canonical(json, '', NONE)) : json);
}

const NONE: ReadonlySet<string> = new Set();
