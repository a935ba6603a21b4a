import type { Fault } from './fault.ts';

/**
 * Replaces `${NAME}` and `${NAME:-default}` in the text of a config by environment variables, before it is parsed as YAML, so that it
 * also works inside flow mappings. As in a shell, `:-` takes the default when the variable is unset or empty; `$${` is a literal `${`.
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
    return line.replace(/(\$?)\$\{([^}]*)\}/g, (whole, escaped: string, inner: string) => {
      if (escaped) return whole.slice(1);
      const fault = (message: string): string => {
        faults.push({ line: index + 1, path: whole, message });
        return '';
      };
      const found = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/.exec(inner);
      if (!found) return fault('is not ${NAME} or ${NAME:-default}');
      const value = env[found[1]!] || found[2];
      if (value === undefined)
        return fault(
          `the environment variable ${found[1]} is not set; set it, or write \${${found[1]}:-default}`,
        );
      if (/[\r\n]/.test(value)) return fault(`the environment variable ${found[1]} holds a line break`);
      return value;
    });
  });
  return { text: lines.join('\n'), faults };
}
