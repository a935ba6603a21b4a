import type { FeatureJson } from '@strangler-kit/router/admin/protocol.ts';
import type { Move } from '@strangler-kit/migrations/move/side.ts';
import { ask, NoRouter, whoami, type RemoteOptions } from '../client.ts';
import { Failure } from '../output.ts';

/** Longest wait for the router, in milliseconds: a move goes on without it. */
const TIMEOUT = 3000;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Asks the router, if there is one; undefined when there is none, which is said in one line with `without`, what that means. */
async function askIfThere<T>(
  options: RemoteOptions,
  path: string,
  without: string,
  body?: object,
): Promise<T | undefined> {
  try {
    return await ask<T>(options, path, {
      timeout: TIMEOUT,
      ...(body === undefined ? {} : { method: 'POST', body }),
    });
  } catch (error) {
    if (!(error instanceof NoRouter)) throw error;
    say(`${without}: ${error.message}`);
    return undefined;
  }
}

/** Puts into the router's journal what was done to a move. */
export async function noteMove(
  options: RemoteOptions,
  { description: { name } }: Move,
  action: string,
  why: string,
): Promise<void> {
  const body = { action, why, who: whoami() };
  await askIfThere(options, `/api/moves/${name}/notes`, 'it is in no journal', body).catch(
    (error: unknown) => {
      // Done is done: what the journal says of it changes nothing.
      say(`it is in no journal: ${(error as Error).message}`);
    },
  );
}

/** The features whose two upstreams are the sides of the move. */
async function featuresOf(
  options: RemoteOptions,
  { from, to }: Move,
  without: string,
): Promise<FeatureJson[] | undefined> {
  const answer = await askIfThere<{ features: FeatureJson[] }>(options, '/api/features', without);
  const sides = [from.name, to.name].toSorted().join(' ');
  return answer?.features.filter(
    ({ upstream, default: monolith }) => [upstream, monolith].toSorted().join(' ') === sides,
  );
}

/**
 * Before `complete`: refuses while a feature whose rows move still reads at the side that is left, because nobody brings anything there from then on. Without a
 * router that can be asked it is for people to know.
 */
export async function refuseReadsLeftBehind(options: RemoteOptions, move: Move): Promise<void> {
  const { name } = move.description;
  const features = await featuresOf(options, move, `nobody was asked who still reads at ${move.from.name}`);
  const lines = (features ?? [])
    .filter(({ data }) => data === 'moving')
    .flatMap((feature) => readsLeftBehind(feature, move.to.name) ?? []);
  if (lines.length > 0)
    throw new Failure(1, [
      `${name} is not completed: reads would go on to a copy at ${move.from.name} that nobody updates any more`,
      ...lines,
    ]);
}

/** Why reads of a feature don't all go to a side, and what to do; null when they do. */
export function readsLeftBehind(
  {
    name,
    upstream,
    stage,
    percent,
    state,
  }: Pick<FeatureJson, 'name' | 'upstream' | 'stage' | 'percent' | 'state'>,
  side: string,
): string | null {
  const isKilled = state === 'DISABLED';
  const isAtService = stage === 'live' || stage === 'retired';
  if (side === upstream) {
    if (isKilled) return `${name} is killed: strangler resume ${name} --why … first`;
    if (isAtService) return null;
    return `${name} is in ${stage}: bring it to live first (strangler promote ${name} --why …)`;
  }
  const isAtDefault =
    isKilled || stage === 'off' || stage === 'shadow' || (stage === 'canary' && percent === 0);
  return isAtDefault
    ? null
    : `${name} is in ${stage}: bring it back first (strangler rollback ${name} --why …)`;
}

/** Before `ramp`: says when the router would not send writes to their homes. */
export async function warnOfWrites(options: RemoteOptions, move: Move): Promise<void> {
  const features = await featuresOf(options, move, 'nobody was asked whether writes go to their homes');
  if (features === undefined || features.some(({ data }) => data === 'moving')) return;
  const [one] = features;
  say(
    one === undefined
      ? `warning: the router has no feature between ${move.from.name} and ${move.to.name}; writes at the wrong side are answered 421, and nobody sends them on`
      : `warning: ${one.name} has data: ${one.data} at the router; a write at the wrong side is answered 421, and not sent on before it has data: moving in strangler.yaml`,
  );
}
