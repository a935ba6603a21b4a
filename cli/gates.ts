import type { FeatureJson, GateJson } from '@strangler-kit/router/admin/protocol.ts';
import { percentText, table } from './output.ts';

const VERDICTS = { pass: 'pass', breach: 'BREACH', notEnough: 'not enough data' } as const;

/** Gates with their numbers, a line each. */
export function gateLines(gates: readonly GateJson[]): string[] {
  return table(
    ['gate', 'verdict', 'value', 'limit', 'samples', 'seconds'],
    gates.map(({ metric, verdict, value, limit, samples, seconds }) => [
      metric,
      VERDICTS[verdict],
      number(value),
      number(limit),
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

function number(value: number | null): string {
  return value === null ? '-' : String(Number(value.toPrecision(4)));
}
