import { z } from 'zod';
import { Problem } from '../errors.ts';

/** Longest body of a report, in bytes: what a hundred parked rows take with room to spare. */
export const MAX_REPORT_BODY = 1_048_576;
/** Longest key of a row that is told one by one, in characters. */
export const MAX_KEY = 1000;

const text = (max: number): z.ZodString => z.string().min(1).max(max);
const side = z.string().regex(/^[A-Za-z0-9_.-]{1,63}$/);
const amount = z.number().min(0);
const whole = z.number().int().min(0);

/** What a runner tells: `Progress` of the migrations, with its speed. Members that are not known here are left out, so that a newer runner may tell more. */
const SHAPE = z.object({
  sides: z.object({ from: side, to: side }),
  /** backfill, verify, ramp, soak, complete, contracted; cancelled. */
  phase: z.string().regex(/^[a-z]{1,20}$/),
  /** Wanted share of the buckets at the new side. */
  percent: z.number().int().min(0).max(100),
  buckets: z.object({ all: whole.min(1), atOld: whole, atNew: whole, moving: whole }),
  rows: z.object({ all: amount, known: amount }),
  /** By the side where rows wait: how many, for how long (milliseconds), and how many of them are parked. */
  waiting: z
    .record(side, z.object({ rows: amount, lag: amount, parked: amount }))
    .refine((sides) => Object.keys(sides).length <= 2, 'there are two sides'),
  parked: z
    .array(
      z.object({
        side,
        key: text(MAX_KEY),
        reason: text(1000),
        since: z.iso.datetime(),
        retryAt: z.iso.datetime(),
      }),
    )
    .max(100),
  /** Milliseconds since the last verification that found nothing; null when there was none. */
  verifiedAgo: amount.nullable(),
  corrupt: text(4000).nullable(),
  /** Of a backfill. `secondsLeft` is null when there is no end in sight. */
  rowsPerSecond: z.number(),
  secondsLeft: amount.nullable(),
});

export type MoveReport = z.output<typeof SHAPE>;

/** Names of moves, as everywhere. */
export const isMoveName = (name: string): boolean => /^[a-z][a-z0-9_]{0,39}$/.test(name);

/** Throws Problem, naming what is wrong. */
export function readReport(body: unknown): MoveReport {
  return checked(SHAPE, body);
}

const base = { why: z.string().trim().min(1).max(1000), who: text(200).default('api') };
const RETRY = z.strictObject({ ...base, key: text(MAX_KEY).nullable().default(null) });
const NOTE = z.strictObject({
  ...base,
  action: z.enum(['ramp', 'reverse', 'retry', 'clear', 'complete', 'cancel', 'contract']),
});

/** `POST /api/moves/NAME/retry`. Throws Problem. */
export const readRetry = (body: unknown): z.output<typeof RETRY> => checked(RETRY, body);
/** `POST /api/moves/NAME/notes`: what a person did to the move, past the router. Throws Problem. */
export const readNote = (body: unknown): z.output<typeof NOTE> => checked(NOTE, body);

function checked<Shape extends z.ZodType>(shape: Shape, body: unknown): z.output<Shape> {
  const result = shape.safeParse(body ?? {});
  if (result.success) return result.data;
  const faults = result.error.issues
    .slice(0, 10)
    .map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
  throw new Problem('BAD_REQUEST', faults.join('; '));
}
