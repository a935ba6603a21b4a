import type { Etcd } from '../etcd/client.ts';
import { EtcdError } from '../etcd/post.ts';
import type { EtcdJournal } from '../journal/etcd-journal.ts';
import { Problem } from '../errors.ts';
import type { Swap } from './source.ts';

/** What became of a change. */
export type Made =
  | { readonly kind: 'made'; readonly text: string; readonly revision: number }
  /** The flags were changed by somebody else. */
  | { readonly kind: 'changed' }
  /** It was not made, and what is still under way of it can't be made any more: the flags have a new revision, with the text they had. */
  | { readonly kind: 'unmade'; readonly text: string; readonly revision: number; readonly error: EtcdError }
  | { readonly kind: 'unknown'; readonly error: EtcdError };

export interface SwapOptions {
  readonly etcd: Etcd;
  readonly flagsKey: string;
  readonly journal: EtcdJournal;
  /** Revision of the flags that the change was decided on. */
  readonly at: number;
  readonly swap: Swap;
}

/** How long etcd may take for it, in milliseconds: an election takes one to two seconds. */
const PATIENCE = 4000;
/** How long it may take to tell what became of one that it did not answer, in milliseconds. */
const ASKING = 1500;

/**
 * Flags and journal entry in one transaction, on condition that the flags are what the change was decided on: so the journal is complete by
 * construction. An attempt whose answer was lost may have been made, and the next one then fails at its own success; the entry tells.
 */
export async function swapInEtcd({ etcd, flagsKey, journal, at, swap }: SwapOptions): Promise<Made> {
  const key = journal.keyOf(at, swap.entry.id);
  const value = JSON.stringify(swap.entry);
  const attempt = (text: string, isForGood: boolean, deadline: number) =>
    etcd.txn(
      [
        { key: flagsKey, modified: at },
        { key, created: 0 },
      ],
      [{ put: flagsKey, value: text }, ...(isForGood ? [{ put: key, value }] : [])],
      [{ range: key }],
      { deadline },
    );
  const made = (revision: number): Made => {
    journal.take(key, value, revision);
    return { kind: 'made', text: swap.after, revision };
  };
  try {
    const { succeeded, revision, ranges } = await attempt(swap.after, true, PATIENCE);
    if (succeeded) return made(revision);
    const [found] = ranges[0]!.keys;
    return found ? made(found.created) : { kind: 'changed' };
  } catch (error) {
    const fault = error as EtcdError;
    if (fault.kind === 'refused')
      throw new Problem('NOT_WRITABLE', `${fault.message}; the kill switch works all the same`);
    return await fence(fault);
  }

  /** Finds out what became of it. The same text put again takes the condition away from whatever is still under way. */
  async function fence(error: EtcdError): Promise<Made> {
    try {
      const { succeeded, revision, ranges } = await attempt(swap.before, false, ASKING);
      if (succeeded) return { kind: 'unmade', text: swap.before, revision, error };
      const [found] = ranges[0]!.keys;
      return found ? made(found.created) : { kind: 'changed' };
    } catch {
      return { kind: 'unknown', error };
    }
  }
}

/** The Problem of etcd that does not answer; anything else stays what it is. */
export function away(error: unknown, consequence: string): unknown {
  return error instanceof EtcdError ? new Problem('FLAGS_AWAY', `${error.message}; ${consequence}`) : error;
}
