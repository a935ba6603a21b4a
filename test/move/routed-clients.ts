import { setTimeout as wait } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { someDeed, type ClientOptions } from './clients.ts';
import { enter, type Ledger } from './ledger.ts';
import { LEVELS, type Deed, type Done } from './transaction.ts';

/** What the applications told before they committed: op → what its deletion takes. */
export type Foretold = ReadonlyMap<string, readonly string[]>;

/**
 * Writes the same rows over HTTP, through the router, which finds their home. `origin`: where it listens just now. An answer that was lost is never asked for
 * again: whether the write happened is what nobody knows. Answers the deletions of which that is so.
 */
export async function routedClient(
  options: ClientOptions & { readonly origin: () => string },
  ledger: Ledger,
): Promise<string[]> {
  const { random, signal, origin, name } = options;
  const dispatcher = new Agent({ connections: 1, headersTimeout: 10_000 });
  const lost: string[] = [];
  try {
    for (let i = 0; !signal.aborted; i += 1) {
      const deed = someDeed(options, `${name}-${i}`);
      const done = await ask(origin(), deed, random() < 0.5, dispatcher);
      enter(ledger, deed, done);
      if (done.what === 'done') ledger.routed += 1;
      if (done.what === 'unknown' && deed.kind === 'delete') lost.push(deed.op);
      if (done.what === 'down') await wait(50);
    }
  } finally {
    await dispatcher.destroy();
  }
  return lost;
}

async function ask(origin: string, deed: Deed, namesOwner: boolean, dispatcher: Agent): Promise<Done> {
  const { kind, op, id, owner, level, pauses, isWatched } = deed;
  const isPut = kind === 'put' && namesOwner;
  const query = new URLSearchParams({
    op,
    level: String(LEVELS.indexOf(level)),
    first: String(pauses[0]),
    last: String(pauses[1]),
    watched: String(isWatched),
    ...(kind === 'give' ? { to: String(owner) } : {}),
  });
  const nothing: Done = {
    what: 'refused',
    appended: false,
    gone: [],
    home: '',
    isDual: false,
    strange: undefined,
  };
  const unknown: Done = { ...nothing, what: 'unknown', appended: kind === 'put' };
  try {
    const { statusCode, headers, body } = await request(
      `${origin}${isPut ? `/owners/${owner}` : ''}/things/${id}?${query}`,
      {
        method: isPut ? 'POST' : kind === 'put' ? 'PATCH' : kind === 'delete' ? 'DELETE' : 'PUT',
        headers: { 'x-user-id': op },
        dispatcher,
      },
    );
    const text = await body.text();
    if (statusCode === 200) return JSON.parse(text) as Done;
    if (statusCode === 421 || statusCode === 409) return nothing;
    if (headers['nothing-done'] !== undefined) return { ...nothing, what: 'down' };
    if (statusCode >= 500) return unknown;
    return { ...nothing, strange: `${statusCode} ${text}` };
  } catch (error) {
    // Nobody listens: the request did not go out.
    return (error as { code?: string }).code === 'ECONNREFUSED' ? { ...nothing, what: 'down' } : unknown;
  }
}
