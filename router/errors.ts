/** Every error the router answers with, in one table: code → status and title (RFC 9457 problem details). */
export const PROBLEMS = {
  UNAUTHORIZED: { status: 401, title: 'The admin token is missing or wrong' },
  APP_TOKEN: { status: 403, title: 'The token of applications does not reach so far' },
  FOREIGN_PAGE: { status: 403, title: 'Another page asked' },
  NOT_FOUND: { status: 404, title: 'There is no such thing' },
  BAD_REQUEST: { status: 400, title: 'The request is not as expected' },
  REFUSED_BY_STAGE: { status: 409, title: 'The stage of the feature does not allow this' },
  REFUSED_BY_DATA: { status: 409, title: 'Where the data of the feature is does not allow this' },
  TOO_MANY_MOVES: { status: 409, title: 'Too many moves are reported already' },
  NOT_WRITABLE: { status: 409, title: 'The flags can not be written' },
  STALE: { status: 412, title: 'The feature has changed since it was read' },
  TOO_LARGE: { status: 413, title: 'The body is too large' },
  REFUSED_BY_GATE: { status: 422, title: 'A gate says no' },
  NO_PRECONDITION: { status: 428, title: 'If-Match is required' },
  TOO_MANY_TOKENS: { status: 429, title: 'Too many wrong tokens' },
  TOO_MANY_LISTENERS: { status: 503, title: 'Too many listen already' },
  FLAGS_AWAY: { status: 503, title: 'The flags can not be reached at the moment' },
  INTERNAL: { status: 500, title: 'The router failed' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

/** An expected error: its code picks status and title, its message says what, where and what to do. */
export class Problem extends Error {
  readonly code: ProblemCode;
  /** Further members of the problem document, such as a gate's numbers. */
  readonly more: Readonly<Record<string, unknown>>;
  constructor(code: ProblemCode, detail: string, more: Readonly<Record<string, unknown>> = {}) {
    super(detail);
    this.code = code;
    this.more = more;
  }
}

/** application/problem+json of an error; anything unexpected shows nothing of its insides. */
export function problemOf(error: unknown): { status: number; body: Record<string, unknown> } {
  const problem = error instanceof Problem ? error : new Problem('INTERNAL', 'see the log for what happened');
  const { status, title } = PROBLEMS[problem.code];
  return {
    status,
    body: {
      type: 'about:blank',
      title,
      status,
      code: problem.code,
      detail: problem.message,
      ...problem.more,
    },
  };
}
