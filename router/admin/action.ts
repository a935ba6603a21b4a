import { z } from 'zod';
import { Problem } from '../errors.ts';
import type { Action } from '../flags/change.ts';
import { STAGES } from '../flags/stage.ts';

/** What a caller may want; the steps of a ramp are its own. */
export type Verb = Exclude<Action['kind'], 'step' | 'stepBack'>;

const base = { why: z.string().max(1000), who: z.string().min(1).max(200).default('api') };
const BODIES = {
  shift: z.strictObject({ ...base, percent: z.number().int().min(0).max(100) }),
  promote: z.strictObject(base),
  rollback: z.strictObject({ ...base, to: z.enum(STAGES).nullable().default(null) }),
  pause: z.strictObject(base),
  resume: z.strictObject(base),
  kill: z.strictObject(base),
} as const satisfies Record<Verb, z.ZodType>;

/** The body of a change. Every fault is named; `why` is required, because the journal is read months later. Throws Problem. */
export function readAction(kind: Verb, body: unknown): { action: Action; who: string; why: string } {
  const result = BODIES[kind].safeParse(body ?? {});
  if (!result.success) {
    const faults = result.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
    throw new Problem('BAD_REQUEST', faults.join('; '));
  }
  const { who, why, ...rest } = result.data;
  return { action: { kind, ...rest } as Action, who, why };
}
