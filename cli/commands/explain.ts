import type { ExplainJson } from '@strangler-kit/router/admin/protocol.ts';
import { ask, type RemoteOptions } from '../client.ts';
import { percentText, print } from '../output.ts';

interface ExplainOptions extends RemoteOptions {
  readonly key?: string;
  readonly host?: string;
  readonly header?: readonly string[];
}

/** Where a request would go, from the code that decides it. */
export async function explainCommand(method: string, path: string, options: ExplainOptions): Promise<void> {
  const query = new URLSearchParams({ method, path });
  if (options.key) query.set('key', options.key);
  if (options.host) query.set('host', options.host);
  for (const header of options.header ?? []) query.append('header', header);
  const found = await ask<ExplainJson>(options, `/api/explain?${query}`);
  print(options, found, () => [
    `${method.toUpperCase()} ${found.path} → ${found.upstream}`,
    `  feature  ${found.feature ?? 'none'}${found.route ? ` (${found.route})` : ''}`,
    `  reason   ${found.reason}`,
    `  stage    ${found.stage ?? '-'}${found.stage === 'canary' ? `, ${percentText(found.percent)}` : ''}`,
    ...(found.writeHome === null
      ? []
      : [
          `  reads    ${found.readSide}`,
          `  writes   ${found.writeHome} (the home, as far as this router knows)`,
        ]),
    `  fallback ${found.fallback ?? 'none'}`,
    `  version  ${found.version}`,
  ]);
}
