import { randomUUID } from 'node:crypto';
import type { Entry, FeatureView } from '../journal/journal.ts';
import type { GateResult } from '../ramp/gate.ts';
import type { DecidedFeature } from '../request/decide.ts';
import type { ChangeRequest } from './change.ts';
import { viewOf } from './view.ts';

/**
 * What the journal will say of a change: made before it is tried. `fingerprint` is that of the flag afterwards, `asked` what the gates said that
 * a promotion passed.
 */
export function entryOf(
  now: () => number,
  feature: DecidedFeature,
  request: ChangeRequest,
  after: FeatureView,
  fingerprint: string,
  asked: readonly GateResult[] = [],
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
    // Retiring has a gate of its own: the evidence that nobody needs the default upstream.
    ungated:
      action.kind === 'shift' ||
      (action.kind === 'promote' && asked.length === 0 && after.stage !== 'retired'),
    numbers: asked.length > 0 ? asked : 'numbers' in action ? (action.numbers ?? null) : null,
  };
}
