/** One thing that is wrong in a file, said so that it can be found and mended. */
export interface Fault {
  /** Line in the file, counted from 1; null when the file as a whole is meant. */
  readonly line: number | null;
  /** Where in the structure, as in `features.images.routes[0].match`; empty for the whole. */
  readonly path: string;
  readonly message: string;
}

/** `strangler.yaml:12: features.images.upstream: …`, one line. */
export function faultLine(file: string, fault: Fault): string {
  const place = fault.line === null ? file : `${file}:${fault.line}`;
  return `${place}: ${fault.path ? `${fault.path}: ` : ''}${fault.message}`;
}
