/** What came out for one proxy under one load. Microseconds and milliseconds; ratios to nginx, round by round. */
export interface Measured {
  readonly workload: string;
  readonly contestant: string;
  readonly cpu: number;
  readonly ratio: number;
  readonly lowest: number;
  readonly highest: number;
  readonly p50: number;
  readonly p99: number;
}

export interface Setting {
  readonly rounds: number;
  readonly seconds: number;
  readonly rate: number;
  readonly cpu: string;
  readonly versions: string;
}

/** What the router is held to, as ratios to nginx: accepted, and the goal. */
const TARGETS: readonly { readonly workload: RegExp; readonly accepted: number; readonly goal: number }[] = [
  { workload: /^bare head/, accepted: 1.3, goal: 1.05 },
  { workload: /1 KB$/, accepted: 1.5, goal: 1.2 },
  { workload: /64 KB$/, accepted: 1.1, goal: 0.85 },
];

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Tables in Markdown, and a plain sentence for every target: met or missed. */
export function report(
  measured: readonly Measured[],
  { rounds, seconds, rate, cpu, versions }: Setting,
): string {
  const lines = [
    `${cpu}; ${versions}; ${rounds} interleaved rounds of ${seconds} s, medians; latency at ${rate} requests/s.`,
  ];
  for (const workload of new Set(measured.map((each) => each.workload))) {
    lines.push(
      '',
      `| ${workload} | CPU µs/request | × nginx | lowest–highest | p50 ms | p99 ms |`,
      '|---|---|---|---|---|---|',
    );
    for (const each of measured.filter((row) => row.workload === workload)) {
      lines.push(
        `| ${each.contestant} | ${each.cpu.toFixed(1)} | ${fixed(each.ratio)} | ${fixed(each.lowest)}–${fixed(each.highest)} | ${fixed(each.p50)} | ${fixed(each.p99)} |`,
      );
    }
  }
  return [...lines, '', ...verdicts(measured)].join('\n');
}

function verdicts(measured: readonly Measured[]): string[] {
  const find = (workload: string, contestant: string): Measured | undefined =>
    measured.find((each) => each.workload === workload && each.contestant === contestant);
  return [...new Set(measured.map((each) => each.workload))].flatMap((workload) => {
    const own = find(workload, 'strangler');
    const nginx = find(workload, 'nginx');
    const target = TARGETS.find((each) => each.workload.test(workload));
    if (!own || !nginx || !target) return [];
    const verdict =
      own.ratio <= target.goal
        ? 'the goal is met'
        : own.ratio <= target.accepted
          ? 'accepted, the goal is missed'
          : 'MISSED';
    const lines = [
      `- ${workload}: ${fixed(own.ratio)} × nginx (goal ${target.goal}, accepted ${target.accepted}): ${verdict}.`,
    ];
    const express = find(workload, 'express + http-proxy-middleware');
    if (express && workload.endsWith('1 KB'))
      lines.push(
        `- ${workload}: ${fixed(express.cpu / own.cpu)} × less than express + http-proxy-middleware (at least 7): ${express.cpu / own.cpu >= 7 ? 'met' : 'MISSED'}.`,
      );
    if (Number.isFinite(own.p99))
      lines.push(
        `- ${workload}: p99 ${fixed(own.p99 / nginx.p99)} × nginx (at most 2): ${own.p99 <= 2 * nginx.p99 ? 'met' : 'MISSED'}.`,
      );
    return lines;
  });
}

const fixed = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : '–');
