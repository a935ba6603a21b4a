import type { EvaluationContext } from '../flags/read.ts';

/** What targeting sees. */
export type Context = Partial<EvaluationContext>;

/** Longest body of an evaluation, in bytes. */
export const MAX_BODY = 16_384;

/** Longest targetingKey, in characters. */
const MAX_KEY = 1024;

/** A context that can't be evaluated: the code of the protocol, and why. */
export interface Refusal {
  readonly errorCode: 'PARSE_ERROR' | 'INVALID_CONTEXT';
  readonly errorDetails: string;
}

/** The context out of `{ "context": { "targetingKey": "ana", … } }`; no body and no context are an empty one. */
export function readContext(body: unknown): { readonly context: Context } | Refusal {
  if (body !== undefined && !isObject(body))
    return {
      errorCode: 'PARSE_ERROR',
      errorDetails: 'the body is not an object like {"context": {"targetingKey": "ana"}}',
    };
  const context = body?.['context'];
  if (context === undefined) return { context: {} };
  if (!isObject(context))
    return { errorCode: 'INVALID_CONTEXT', errorDetails: 'the context is not an object' };
  const key = context['targetingKey'];
  if (key !== undefined && (typeof key !== 'string' || key.length > MAX_KEY))
    return {
      errorCode: 'INVALID_CONTEXT',
      errorDetails: `the targetingKey is not a text of at most ${MAX_KEY} characters`,
    };
  return { context: context as Context };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
