import type { FeatureConfig } from '../config/schema.ts';
import { STAGE_TABLE, type Stage } from './stage.ts';
import { isObject, isPlainSplit, percentOf, plainSplit, withPercent, type Json } from './targeting.ts';

/** What a change does to a flag; what is left out stays as it is. */
export interface FlagEdit {
  readonly stage?: Stage;
  /** Share of the service in percent, a whole number; only canary listens to it. */
  readonly percent?: number;
  readonly state?: 'ENABLED' | 'DISABLED';
  readonly ramp?: 'running' | 'paused' | 'latched';
  /** `aside` takes rules for cohorts out of the targeting, so that everybody is on one side; `back` puts them in again. */
  readonly cohorts?: 'aside' | 'back';
}

/** Rules for cohorts are kept here, as JSON text, while nothing may stand before the split (flagd's metadata holds scalars only). */
const SET_ASIDE = 'targetingSetAside';

/**
 * The text of a flag file after an edit of one feature's flag, or a sentence that says why it can't be made. The file keeps agreeing
 * with its stage: outside canary the targeting is a plain split at 0 or 100, and cohorts wait in the metadata.
 */
export function editFlags(
  text: string,
  feature: FeatureConfig,
  fallback: string,
  edit: FlagEdit,
): { text: string } | { refused: string } {
  const file = JSON.parse(text) as { flags: Record<string, Record<string, Json>> };
  const flag = file.flags[feature.flag]!;
  const metadata = { ...(isObject(flag['metadata']) ? flag['metadata'] : {}) };
  const stage = edit.stage ?? (metadata['stage'] as Stage);
  const sides = STAGE_TABLE[stage].sides;
  let targeting = flag['targeting'];

  if (sides !== 'both' || edit.cohorts === 'aside') {
    if (targeting !== undefined && !isPlainSplit(targeting)) metadata[SET_ASIDE] = JSON.stringify(targeting);
    targeting = plainSplit(
      feature.upstream,
      fallback,
      sides === 'service' ? 100 : sides === 'default' ? 0 : (edit.percent ?? 0),
    );
  } else {
    const aside = edit.cohorts === 'back' ? metadata[SET_ASIDE] : undefined;
    // What was set aside carries the share of that time; the share in force is the one that counts.
    const percent =
      edit.percent ?? (aside === undefined ? null : (percentOf(targeting, feature.upstream) ?? 0));
    if (typeof aside === 'string') {
      targeting = JSON.parse(aside) as Json;
      delete metadata[SET_ASIDE];
    }
    if (percent !== null) {
      const shifted = withPercent(
        targeting ?? plainSplit(feature.upstream, fallback, 0),
        feature.upstream,
        fallback,
        percent,
      );
      if ('refused' in shifted) return shifted;
      targeting = shifted.targeting;
    }
  }

  metadata['stage'] = stage;
  if (edit.ramp) metadata['ramp'] = edit.ramp;
  file.flags[feature.flag] = {
    ...flag,
    ...(edit.state ? { state: edit.state } : {}),
    defaultVariant: sides === 'service' ? feature.upstream : fallback,
    ...(targeting === undefined ? {} : { targeting }),
    metadata,
  };
  return { text: `${JSON.stringify(file, null, 2)}\n` };
}
