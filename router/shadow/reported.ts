import { randomBytes } from 'node:crypto';
import { MAX_DIFFERENCES, placeOf, shown, type Difference, type Value } from './compare/difference.ts';
import type { Mismatch } from './mismatches.ts';
import { redactDifference, redactTarget } from './redact.ts';

/** A comparison that an application made by itself and found a difference in: of work that is no request. */
export interface Reported {
  /** Names the work, as in `<order-17@shop.example>`. */
  readonly subject: string;
  /** A side on which the thing is missing has no value. */
  readonly differences: readonly {
    /** Where in the work's result: `subject`, `$.items[3].price`. */
    readonly path: string;
    readonly default?: Value | undefined;
    readonly candidate?: Value | undefined;
  }[];
}

/** What is kept of it, by the rules of a compared request: nothing that has a secret's name, no value that is too long, and so many differences. */
export function mismatchOfReport(
  { subject, differences }: Reported,
  sides: { readonly default: string; readonly service: string },
  now: number,
): Mismatch {
  const kept = differences.slice(0, MAX_DIFFERENCES).map(({ path, ...values }): Difference => {
    const difference: Difference = {
      kind: 'json',
      where: path,
      ...(values.default === undefined ? {} : { primary: shown(values.default) }),
      ...(values.candidate === undefined ? {} : { shadow: shown(values.candidate) }),
    };
    return redactDifference(difference, []);
  });
  return {
    id: randomBytes(8).toString('hex'),
    at: new Date(now).toISOString(),
    method: '',
    path: redactTarget(subject, []),
    route: '',
    primary: sides.default,
    shadow: sides.service,
    kind: 'json',
    place: placeOf(kept[0]!),
    differences: kept,
    hasPictures: false,
  };
}
