import { randomUUID } from 'node:crypto';
import type { Entry, FeatureView } from '../journal/journal.ts';
import type { DecidedFeature } from '../request/decide.ts';
import type { ChangeRequest } from './change.ts';
import { viewOf } from './view.ts';

/** What the journal will say of a change: made before it is tried. `fingerprint` is that of the flag afterwards. */
export function entryOf(
  now: () => number,
  feature: DecidedFeature,
  request: ChangeRequest,
  after: FeatureView,
  fingerprint: string,
): Entry {
  const { action } = request;
  return {
    id: randomUUID(),
    at: new Date(now()).toISOString(),
    feature: feature.name,
    action: action.kind,
    who: request.who,
    why: request.why,
    before: viewOf(feature),
    after,
    fingerprint,
    // No gate is measured so far, so a promotion passes none either.
    ungated: action.kind === 'shift' || action.kind === 'promote',
    numbers: null,
  };
}
