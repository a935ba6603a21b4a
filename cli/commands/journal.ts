import type { JournalJson } from '@strangler-kit/router/admin/protocol.ts';
import { ask, type RemoteOptions } from '../client.ts';
import { Failure, print, table } from '../output.ts';

/** Who changed what, when and why, newest first. */
export async function journalCommand(
  feature: string | undefined,
  options: RemoteOptions & { readonly limit: string },
): Promise<void> {
  if (!/^[1-9]\d*$/.test(options.limit))
    throw new Failure(2, [`--limit ${options.limit} is not a whole number above 0`]);
  const query = new URLSearchParams({ limit: options.limit, ...(feature === undefined ? {} : { feature }) });
  const journal = await ask<JournalJson>(options, `/api/journal?${query}`);
  const side = (view: { stage: string; percent: number | null; state: string } | null): string =>
    view === null
      ? '-'
      : `${view.stage}${view.percent === null ? '' : ` ${view.percent} %`}${view.state === 'DISABLED' ? ' killed' : ''}`;
  print(options, journal, () =>
    table(
      ['when', 'feature', 'change', 'before', 'after', 'who', 'why'],
      journal.entries.map((entry) => [
        entry.at,
        entry.feature,
        entry.ungated ? `${entry.action} (ungated)` : entry.action,
        side(entry.before),
        side(entry.after),
        entry.who,
        entry.why,
      ]),
    ),
  );
}
