/** An answer as the comparison sees it. */
export interface Answer {
  readonly status: number;
  /** Names in lower case, in the order received. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** As it was transferred, so still in its content coding; empty when there was none. */
  readonly body: Uint8Array;
  /** The body was longer than is kept: `body` holds nothing of it. */
  readonly isTooLong: boolean;
}

/** The values of one header, joined as RFC 9110 section 5.3 allows; undefined when it is absent. */
export function header(answer: Pick<Answer, 'headers'>, name: string): string | undefined {
  const values = answer.headers.filter(([each]) => each === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(', ');
}

/** `text/html; charset=utf-8` → `text/html`; an empty string when nothing is said. */
export function mediaType(answer: Pick<Answer, 'headers'>): string {
  return (header(answer, 'content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase();
}
