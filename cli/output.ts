/** How a command ends badly: lines for standard error and the exit code. 1: a gate or a check said no. 2: usage, config, or no router. */
export class Failure extends Error {
  readonly exitCode: 1 | 2;
  readonly lines: readonly string[];
  constructor(exitCode: 1 | 2, lines: readonly string[]) {
    super(lines.join('\n'));
    this.exitCode = exitCode;
    this.lines = lines;
  }
}

/** Prints a value as JSON, or the lines made for people. */
export function print(
  options: { readonly json?: boolean },
  value: unknown,
  lines: () => readonly string[],
): void {
  process.stdout.write(
    options.json
      ? `${JSON.stringify(value, null, 2)}\n`
      : lines()
          .map((line) => `${line}\n`)
          .join(''),
  );
}

/** Columns as wide as their widest cell; control characters can't move the cursor of whoever reads it. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [header, ...rows].map((row) => row.map((cell) => cell.replace(/\p{Cc}/gu, '?')));
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

/** Left for what is not JSON: a value on one line. */
export function percentText(percent: number | null): string {
  return percent === null ? 'by rule' : `${percent} %`;
}
