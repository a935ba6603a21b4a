import { z } from 'zod';
import { duration, share, size } from './units.ts';

/** Amounts as a person writes them in strangler.yaml, and the numbers they become. */

const amount = (parse: (text: string) => number | null, example: string) =>
  z.union([z.string(), z.number()]).transform((value, context) => {
    const parsed = parse(String(value));
    if (parsed !== null) return parsed;
    context.addIssue({
      code: 'custom',
      message: `${JSON.stringify(value)} is not an amount like ${example}`,
    });
    return z.NEVER;
  });
/** `500ms`, `10s`, `5m` → milliseconds. */
export const milliseconds = () => amount(duration, '500ms, 10s or 5m');
/** `64KiB`, `25MiB` → bytes. */
export const bytes = () => amount(size, '64KiB or 25MiB');
/** `10%`, `0.1` → 0 to 1. */
export const fraction = () => amount(share, '10% or 0.1');
