import { createHash } from 'node:crypto';
import pg from 'pg';

/** Texts that were named; a move has some forty. */
const NAMES = new Map<string, string>();

function nameOf(text: string): string {
  let name = NAMES.get(text);
  if (name === undefined) {
    name = createHash('md5').update(text).digest('hex');
    NAMES.set(text, name);
  }
  return name;
}

/**
 * A client that prepares each statement with parameters the first time, and from then on only runs it: to parse and plan what a move asks takes longer than to do it.
 * Texts must be few, so what differs from call to call belongs in `values`.
 */
export class PreparingClient extends pg.Client {
  // The signatures are those of pg, of which there are many.
  override query(...args: unknown[]): never {
    const [first, values, ...rest] = args;
    const ask = super.query.bind(this) as (...args: unknown[]) => never;
    if (typeof first === 'string' && Array.isArray(values))
      return ask({ name: nameOf(first), text: first, values }, ...rest);
    if (isConfig(first)) return ask({ ...first, name: nameOf(first.text) }, ...args.slice(1));
    return ask(...args);
  }
}

function isConfig(value: unknown): value is { text: string; values: unknown[] } {
  const config = value as Partial<pg.QueryConfig & { submit: unknown }> | null;
  return (
    typeof config === 'object' &&
    config !== null &&
    config.submit === undefined &&
    config.name === undefined &&
    typeof config.text === 'string' &&
    Array.isArray(config.values)
  );
}
