/** A route as strangler.yaml writes it: `GET /images/{id}`, `POST /files/**`. */
export interface Template {
  /** Upper-case method. */
  readonly method: string;
  /** One entry a segment; null stands for `{x}`, any one segment. */
  readonly segments: readonly (string | null)[];
  /** Names of the `{x}` segments by their position. */
  readonly names: readonly string[];
  /** True when a final `**` takes the rest, none of it included. */
  readonly rest: boolean;
}

/** Reads a route, or answers a sentence that says what is wrong with it. */
export function parseTemplate(text: string): Template | string {
  const found = /^([A-Z]+) (\/\S*)$/.exec(text);
  if (!found) return 'is not a method, a space and a path, as in "GET /images/{id}"';
  const method = found[1]!;
  if (method === 'CONNECT' || method === 'TRACE') return `${method} is never forwarded`;
  const parts = found[2]!.slice(1).split('/');
  const rest = parts.at(-1) === '**';
  if (rest) parts.pop();
  const names: string[] = [];
  const segments: (string | null)[] = [];
  for (const part of parts) {
    const parameter = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(part);
    if (parameter) {
      if (names.includes(parameter[1]!)) return `{${parameter[1]}} stands in it twice`;
      names.push(parameter[1]!);
      segments.push(null);
    } else if (/[*{}?#]/.test(part))
      return `"${part}" is neither a literal segment nor {name}; ** may only stand last`;
    else if (part === '.' || part === '..') return 'dot segments never reach a route';
    else if (part === '' && (parts.length > 1 || rest))
      return 'an empty segment never matches; write the path without a double or final slash';
    else segments.push(canonicalSegment(part));
  }
  return { method, segments, names, rest };
}

/** Requests are matched in canonical form, so the template takes it too: unreserved characters plain, others percent-encoded in capitals. */
function canonicalSegment(part: string): string {
  return encodeURI(part).replace(/%25([0-9A-Fa-f]{2})/g, (_, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : `%${hex.toUpperCase()}`;
  });
}

/** Two routes of one shape match the same requests. */
export function shapeOf(template: Template): string {
  return `${template.method} /${template.segments.map((segment) => segment ?? '{}').join('/')}${template.rest ? '/**' : ''}`;
}
