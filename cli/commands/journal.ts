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
  print(options, journal, () =>
    table(
      ['when', 'feature', 'change', 'before', 'after', 'who', 'why'],
      journal.entries.map((entry) => [
        entry.at,
        'move' in entry ? `move ${entry.move}` : entry.feature,
        'ungated' in entry && entry.ungated ? `${entry.action} (ungated)` : entry.action,
        standing(entry.before),
        standing(entry.after),
        entry.who,
        entry.why,
      ]),
    ),
  );
}

function standing(view: JournalJson['entries'][number]['before']): string {
  if (view === null) return '-';
  const share = view.percent === null ? '' : ` ${view.percent} %`;
  return 'phase' in view
    ? `${view.phase}${share}${view.corrupt === null ? '' : ' DIFFERS'}`
    : `${view.stage}${share}${view.state === 'DISABLED' ? ' killed' : ''}`;
}
