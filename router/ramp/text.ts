import { viewOf } from '../flags/view.ts';
import type { Journal } from '../journal/journal.ts';
import type { GateResult } from './gate.ts';
import type { Feature } from './judging.ts';

/** What a ramp does or waits for, as a sentence. Empty without a ramp. `holdUntil` and `now`: milliseconds since the epoch. */
export function rampText(
  feature: Feature,
  gates: readonly GateResult[],
  holdUntil: number | null,
  now: number,
  journal: Pick<Journal, 'entries'>,
): string {
  const { ramp, stage, percent } = { ...viewOf(feature), percent: feature.flag.percent };
  if (ramp === 'none') return '';
  if (feature.killed) return 'the kill switch is on; resume undoes it';
  if (ramp === 'paused') return 'paused; resume starts it from here';
  if (ramp === 'latched') {
    const entry = journal
      .entries()
      .findLast(({ feature: of, action }) => of === feature.name && action === 'stepBack');
    return `stepped back${entry ? ` from ${entry.before?.percent} % (${entry.why})` : ''}; it waits for resume`;
  }
  if (stage !== 'canary') return `moves in canary; the stage is ${stage}`;
  if (percent === null) return 'the flag holds no single share, so there is nothing to move';
  const open = gates.filter(({ verdict }) => verdict !== 'pass');
  const waiting = open.map(({ text }) => text).join('; ');
  if (holdUntil === null)
    return percent === 0 ? 'takes the first step' : 'stands at its last step; promote goes live';
  const left = Math.ceil((holdUntil - now) / 1000);
  if (left > 0) return `holds ${percent} % for ${left} s more`;
  return waiting === '' ? `leaves ${percent} %` : `held ${percent} %, and waits: ${waiting}`;
}
