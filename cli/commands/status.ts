import { setTimeout as wait } from 'node:timers/promises';
import type { StatusJson } from '@strangler-kit/router/admin/protocol.ts';
import { faultLine } from '@strangler-kit/router/config/fault.ts';
import { ask, type RemoteOptions } from '../client.ts';
import { gateLines, rampLine } from '../gates.ts';
import { moveLines } from '../moves.ts';
import { Failure, percentText, print, table } from '../output.ts';

/** Milliseconds between two looks of --watch. */
const EVERY = 1000;

/** The features, their gates and ramps, and whether the files on the disk are the ones in force. */
export async function statusCommand(options: RemoteOptions & { readonly watch?: boolean }): Promise<void> {
  if (!options.watch) {
    const status = await ask<StatusJson>(options, '/api/status');
    return print(options, status, () => statusLines(status));
  }
  // Whoever reads (`| head`) may go: that is the end, not a failure.
  process.stdout.on('error', () => process.exit(0));
  const isTerminal = process.stdout.isTTY === true && !options.json;
  for (;;) {
    const lines = await look(options, isTerminal);
    // On a terminal each look takes the place of the last one: cursor home, and what is left of the screen cleared (ECMA-48).
    process.stdout.write(
      isTerminal ? `\x1b[H\x1b[J${lines.join('\n')}\n` : lines.map((line) => `${line}\n`).join(''),
    );
    await wait(EVERY);
  }
}

/** One look. A router that is away is said, and waited for: it may be restarting. */
async function look(options: RemoteOptions, isTerminal: boolean): Promise<readonly string[]> {
  const at = new Date().toISOString();
  try {
    const status = await ask<StatusJson>(options, '/api/status');
    if (options.json) return [JSON.stringify(status)];
    return isTerminal ? [at, '', ...statusLines(status)] : watchLines(at, status);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return error.lines.map((line) => `${at} ${line}`);
  }
}

function watchLines(at: string, status: StatusJson): string[] {
  const moves = status.moves.map(
    (move) =>
      `${at} ${moveLines(move)
        .map((line) => line.trim())
        .join('; ')}`,
  );
  const features = status.features.map((feature) => {
    const killed = feature.state === 'DISABLED' ? 'KILLED ' : '';
    const gates = feature.gates.map(({ metric, verdict }) => ` ${metric}=${verdict}`).join('');
    const ramp = feature.ramp.state === 'none' ? '' : ` ramp ${feature.ramp.state} (${feature.ramp.text})`;
    return `${at} ${feature.name} ${killed}${feature.stage} ${percentText(feature.percent)}${gates}${ramp}`;
  });
  return [...features, ...moves];
}

function statusLines(status: StatusJson): string[] {
  return [
    ...table(
      ['feature', 'stage', 'share', 'state', 'ramp', 'service', 'owner'],
      status.features.map((feature) => [
        feature.name,
        feature.stage,
        percentText(feature.percent),
        feature.state === 'DISABLED' ? 'KILLED' : 'enabled',
        feature.ramp.state,
        feature.upstream,
        feature.owner || '-',
      ]),
    ),
    '',
    ...status.features.flatMap((feature) => {
      const gates = gateLines(feature.gates);
      const ramp = rampLine(feature);
      if (ramp === null && gates.length === 0) return [];
      return [ramp ?? `${feature.name}: gates`, ...gates, ''];
    }),
    ...status.moves.flatMap((move) => [...moveLines(move), '']),
    ...[status.config, status.flags].flatMap((file) => [
      `${file.file}: ${file.state} (${file.version})`,
      ...file.faults.map((fault) => `  ${faultLine(file.file, fault)}`),
    ]),
    ...registryLines(status),
    ...(status.flags.stale
      ? [`flags: STALE since ${status.flags.staleSince}: ${status.flags.staleWhy}`]
      : []),
    ...status.features.flatMap((feature) => (feature.drift ? [`${feature.name}: ${feature.drift}`] : [])),
    `version ${status.version}, ${status.connections} connection(s), up ${status.uptimeSeconds} s${status.draining ? ', draining' : ''}`,
  ];
}

/** Upstreams whose instances are found by a registry that has nothing to say. */
function registryLines({ upstreams }: StatusJson): string[] {
  const known = (upstreams ?? []) as readonly { readonly name: string; readonly registry?: string | null }[];
  return known.flatMap(({ name, registry }) => {
    if (registry === 'STALE')
      return [`${name}: STALE, the registry does not answer; the last instances known are asked`];
    if (registry === 'EMPTY')
      return [`${name}: EMPTY, the registry lists no instance; the last ones known are asked for now`];
    return [];
  });
}
