import type { FeatureJson, GateJson } from '@strangler-kit/router/admin/protocol.ts';
import { percentText, table } from './output.ts';

const VERDICTS = { pass: 'pass', breach: 'BREACH', notEnough: 'not enough data' } as const;

/** Gates with their numbers, a line each. */
export function gateLines(gates: readonly GateJson[]): string[] {
  return table(
    ['gate', 'verdict', 'value', 'limit', 'samples', 'seconds'],
    gates.map(({ metric, verdict, value, limit, unit, samples, seconds }) => [
      metric,
      VERDICTS[verdict],
      read(value, unit),
      read(limit, unit),
      `${samples.baseline} / ${samples.candidate}`,
      String(seconds),
    ]),
  )
    .slice(gates.length === 0 ? 1 : 0)
    .map((line) => `  ${line}`);
}

/** Where a ramp stands, in a line; null without a ramp. */
export function rampLine({ name, ramp }: FeatureJson): string | null {
  if (ramp.state === 'none') return null;
  const step = ramp.step === null ? '' : `, step ${ramp.step + 1}`;
  return `${name}: ramp ${ramp.state} at ${percentText(ramp.percent)}${step}: ${ramp.text}`;
}

function read(value: number | null, unit: GateJson['unit']): string {
  if (value === null) return '-';
  const digits = (number: number): string => String(Number(number.toPrecision(4)));
  switch (unit) {
    case 'share':
      return `${digits(value * 100)} %`;
    case 'ratio':
      return `× ${digits(value)}`;
    case 'milliseconds':
      return `${digits(value)} ms`;
    case 'requests':
      return digits(value);
  }
}
