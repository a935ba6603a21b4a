import type { ExplainJson } from '@strangler-kit/router/admin/protocol.ts';
import { ask, type RemoteOptions } from '../client.ts';
import { Failure, percentText, print } from '../output.ts';

interface ExplainOptions extends RemoteOptions {
  readonly feature?: string;
  readonly key?: string;
  readonly host?: string;
  readonly header?: readonly string[];
}

/** Where a request would go, or what an application is told that asks for a feature's flag, from the code that decides it. */
export async function explainCommand(
  method: string | undefined,
  path: string | undefined,
  options: ExplainOptions,
): Promise<void> {
  const { feature } = options;
  if (feature === undefined ? path === undefined : method !== undefined)
    throw new Failure(2, [
      'give a method and a path (GET /images/7), or --feature NAME for a seam, which has none',
    ]);
  const query = new URLSearchParams(feature === undefined ? { method: method!, path: path! } : { feature });
  if (options.key) query.set('key', options.key);
  if (options.host) query.set('host', options.host);
  for (const header of options.header ?? []) query.append('header', header);
  const found = await ask<ExplainJson>(options, `/api/explain?${query}`);
  print(options, found, () => [
    `${feature === undefined ? `${method!.toUpperCase()} ${found.path}` : subjectOf(options)} → ${found.upstream}`,
    `  feature  ${found.feature ?? 'none'}${found.route ? ` (${found.route})` : ''}`,
    `  reason   ${found.reason}`,
    `  stage    ${found.stage ?? '-'}${found.stage === 'canary' ? `, ${percentText(found.percent)}` : ''}`,
    ...(found.writeHome === null
      ? []
      : [
          `  reads    ${found.readSide}`,
          `  writes   ${found.writeHome} (the home, as far as this router knows)`,
        ]),
    `  fallback ${feature === undefined ? (found.fallback ?? 'none') : 'the application’s own'}`,
    `  version  ${found.version}`,
  ]);
}

function subjectOf({ feature, key }: ExplainOptions): string {
  return key === undefined ? `${feature}, without a key` : `${feature} for ${key}`;
}
