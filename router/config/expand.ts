import type { Fault } from './fault.ts';

/**
 * Replaces `${NAME}` and `${NAME:-default}` in the text of a config by environment variables, before it is parsed as YAML, so that it
 * also works inside flow mappings. As in a shell, `:-` takes the default when the variable is unset or empty, and a default may hold variables itself; a
 * value may not: it is taken as it is. `$${` is a literal `${`.
 *
 * A value can not add structure: one with a line break is refused. Comments are left alone, so a variable in one need not be set.
 */
export function expand(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): { text: string; faults: Fault[] } {
  const faults: Fault[] = [];
  const lines = text.split('\n').map((line, index) => {
    if (/^\s*#/.test(line)) return line;
    return replaceAll(line, (whole) => {
      const fault = (message: string): null => {
        faults.push({ line: index + 1, path: whole, message });
        return null;
      };
      const found = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?\}$/.exec(whole);
      if (!found) return fault('is not ${NAME} or ${NAME:-default}');
      const [, name = '', preset] = found;
      const value = env[name];
      if (!value && preset === undefined)
        return fault(`the environment variable ${name} is not set; set it, or write \${${name}:-default}`);
      if (value && /[\r\n]/.test(value)) return fault(`the environment variable ${name} holds a line break`);
      return value ? { value } : { preset: preset! };
    });
  });
  return { text: lines.join('\n'), faults };
}

/** What stands in the place of a `${…}`: a value as it is, or a default, in which there may be more of them; null: nothing. */
type Replacement = { readonly value: string } | { readonly preset: string } | null;

function replaceAll(text: string, replacement: (whole: string) => Replacement): string {
  let done = '';
  for (let at = 0; ;) {
    const start = text.indexOf('${', at);
    const end = start === -1 ? -1 : closing(text, start + 2);
    if (end === -1) return done + text.slice(at);
    const isLiteral = start > at && text[start - 1] === '$';
    done += text.slice(at, isLiteral ? start - 1 : start);
    const whole = text.slice(start, end + 1);
    const by = isLiteral ? { value: whole } : replacement(whole);
    if (by !== null) done += 'value' in by ? by.value : replaceAll(by.preset, replacement);
    at = end + 1;
  }
}

/** Where the brace is closed that was opened before `from`; -1: nowhere. */
function closing(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++;
    if (text[at] === '}' && --depth === 0) return at;
  }
  return -1;
}
