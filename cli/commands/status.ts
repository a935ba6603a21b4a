import type { StatusJson } from '@strangler-kit/router/admin/protocol.ts';
import { faultLine } from '@strangler-kit/router/config/fault.ts';
import { ask, type RemoteOptions } from '../client.ts';
import { percentText, print, table } from '../output.ts';

/** The features, and whether the files on the disk are the ones in force. */
export async function statusCommand(options: RemoteOptions): Promise<void> {
  const status = await ask<StatusJson>(options, '/api/status');
  print(options, status, () => [
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
    ...[status.config, status.flags].flatMap((file) => [
      `${file.file}: ${file.state} (${file.version})`,
      ...file.faults.map((fault) => `  ${faultLine(file.file, fault)}`),
    ]),
    ...status.features.flatMap((feature) => (feature.drift ? [`${feature.name}: ${feature.drift}`] : [])),
    `version ${status.version}, ${status.connections} connection(s), up ${status.uptimeSeconds} s${status.draining ? ', draining' : ''}`,
  ]);
}
