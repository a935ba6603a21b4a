/** Every error the shop answers with, in one table (RFC 9457 problem details). */
const PROBLEMS = {
  BAD_REQUEST: [400, 'The request is not as expected'],
  UNAUTHENTICATED: [401, 'Log in first'],
  WRONG_PASSWORD: [401, 'Wrong e-mail address or password'],
  FOREIGN_ORIGIN: [403, 'This form was sent from another site'],
  NOT_FOUND: [404, 'There is no such thing'],
  CONFLICT: [409, 'This can not be done at once'],
  TOO_LARGE: [413, 'This is too large'],
  UNSUPPORTED: [415, 'This is not a picture the shop takes'],
  MISDIRECTED: [421, 'This is written elsewhere'],
  DAMAGED: [422, 'The picture is damaged'],
  TOO_MANY: [429, 'Too many attempts'],
  INTERNAL: [500, 'The shop failed'],
  BUSY: [503, 'Too busy at the moment'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

/** An expected error. Its message is for the caller: what, where, what to do. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly title: string;
  /** Seconds after which to try again. */
  readonly retryAfter: number | null;
  /** One sentence for each field that is wrong. */
  readonly faults: readonly string[];
  /** The value of `Strangler-Home`: who writes this instead. Whoever passes requests on learns from it. */
  readonly home: string | null;
  constructor(
    code: ProblemCode,
    detail: string,
    retryAfter: number | null = null,
    faults: readonly string[] = [],
    home: string | null = null,
  ) {
    super(detail);
    this.code = code;
    [this.status, this.title] = PROBLEMS[code];
    this.retryAfter = retryAfter;
    this.faults = faults;
    this.home = home;
  }

  /** The members of the problem document. */
  toJSON(): Record<string, unknown> {
    const { title, status, code, message: detail, faults } = this;
    return {
      type: 'about:blank',
      title,
      status,
      code,
      detail,
      ...(faults.length > 0 ? { faults } : {}),
    };
  }
}

/** What a client hears of any error: an unexpected one shows nothing of its insides. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const { status, type, code, detail } = (error ?? {}) as Record<string, unknown>;
  // The database's word, by SQLSTATE, on rows that are being moved to a service. In both cases nothing was done.
  if (code === 'SK421')
    return new Problem(
      'MISDIRECTED',
      'nothing was done here: another side writes this',
      null,
      [],
      String(detail),
    );
  if (code === 'SK409') return new Problem('CONFLICT', 'nothing was done: it concerns what two sides write');
  if (type === 'entity.too.large') return new Problem('TOO_LARGE', 'the body is too long');
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new Problem('BAD_REQUEST', 'the body or the path can not be read');
  return new Problem('INTERNAL', 'the error is in the log');
}
