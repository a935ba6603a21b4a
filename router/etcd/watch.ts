import { setTimeout as wait } from 'node:timers/promises';
import { encode, endOf, keyValueOf, type Etcd, type KeyValue } from './client.ts';
import { answerOf, send, EtcdError } from './post.ts';

export interface Change {
  readonly kind: 'put' | 'removed';
  readonly key: string;
  /** Empty when it was removed. */
  readonly value: string;
  /** Revision of the store at which it was made by this change or one before, and of this change; `created` is 0 when it was removed. */
  readonly created: number;
  readonly modified: number;
}

export interface WatchOptions {
  readonly etcd: Etcd;
  /** All keys that begin with it; with `end`: all from it to before `end`. */
  readonly prefix: string;
  readonly end?: string;
  /** All there is, when the watch begins and again when what happened in between can't be had any more (compacted, or the data was lost). */
  readonly onRead: (keys: readonly KeyValue[], revision: number) => void;
  /** Everything that one revision, or several, changed; in order, each exactly once. */
  readonly onChanges: (changes: readonly Change[], revision: number) => void;
  /** Whether the watch has contact. With null: it has, and is up to date; else why it has not. Called when that changes. */
  readonly onContact?: (trouble: string | null) => void;
  /** How often the watched member must show that it still hears the others, and how long it may take, in milliseconds. */
  readonly heartbeat?: number;
  /** How the first read is done; without it, one range over all keys. */
  readonly read?: () => Promise<{ readonly keys: readonly KeyValue[]; readonly revision: number }>;
  /** Keys seen already, up to this revision: no first read. */
  readonly from?: number;
}

export interface Watch {
  close(): void;
}

/** Before another member is asked, in milliseconds. */
const BEFORE_NEXT = 100;

/**
 * Follows all keys below a prefix, at one member after another, without missing a change. A member that is dead, frozen or cut off from the
 * others says nothing, which looks like peace: so the same member is asked a question that needs the others, and two unanswered ones
 * (within 1.5 s with the default) end the stream.
 */
export function watchPrefix(options: WatchOptions): Watch {
  const { etcd, prefix, onRead, onChanges, onContact, heartbeat = 500 } = options;
  const end = options.end ?? endOf(prefix);
  const ended = new AbortController();
  /** All up to this revision was told; null before the first read. */
  let seen: number | null = options.from ?? null;
  let place = 0;
  let trouble: string | null | undefined;
  /** Streams that have ended since there was contact. */
  let failures = 0;

  const tell = (now: string | null): void => {
    if (ended.signal.aborted || now === trouble || (now !== null && typeof trouble === 'string')) return;
    trouble = now;
    onContact?.(now);
  };

  async function readAll(): Promise<void> {
    const range = await (options.read?.() ?? etcd.range(prefix, { end }));
    if (ended.signal.aborted) return;
    seen = range.revision;
    onRead(range.keys, range.revision);
  }

  /** One stream at one member, until it ends; rejects with why. */
  async function follow(member: number): Promise<never> {
    const request = send(etcd.sockets, etcd.urls[member]!, 'watch', {
      create_request: { key: encode(prefix), range_end: encode(end), start_revision: String(seen! + 1) },
    });
    const fail = (why: string): void => void request.destroy(new EtcdError('unanswered', null, why));
    const stop = (): void => fail('closed');
    ended.signal.addEventListener('abort', stop);
    const beating = beat(member, fail);
    try {
      const response = await answerOf(request);
      response.setEncoding('utf8');
      let rest = '';
      for await (const chunk of response) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        for (const line of lines) message(line);
        if (lines.length > 0) beating.created();
      }
      throw new EtcdError('unanswered', null, 'the stream ended');
    } finally {
      beating.stop();
      ended.signal.removeEventListener('abort', stop);
      request.destroy();
    }
  }

  function message(line: string): void {
    if (line === '' || ended.signal.aborted) return;
    const { result, error } = JSON.parse(line) as {
      result?: Record<string, unknown>;
      error?: { message?: string };
    };
    if (!result) throw new EtcdError('unanswered', null, error?.message ?? line.slice(0, 100));
    if (result['canceled']) {
      if (Number(result['compact_revision'] ?? 0) > 0) seen = null;
      throw new EtcdError(
        'unanswered',
        null,
        `the watch was cancelled: ${String(result['cancel_reason'] ?? 'compacted')}`,
      );
    }
    const changes = ((result['events'] ?? []) as Record<string, unknown>[]).map(changeOf);
    const fresh = changes.filter(({ modified }) => modified > seen!);
    if (fresh.length === 0) return;
    // The header's revision is the store's, which may be ahead of what this stream has told.
    seen = fresh.at(-1)!.modified;
    onChanges(fresh, seen);
  }

  function beat(member: number, fail: (why: string) => void): { created(): void; stop(): void } {
    const stopped = new AbortController();
    /** The stream has begun, and the member hears the others: only both together are contact. */
    let isOpen = false;
    let isHeard = false;
    const look = (): void => {
      if (!isOpen || !isHeard) return;
      failures = 0;
      tell(null);
    };
    void (async () => {
      for (let missed = 0; !stopped.signal.aborted;) {
        // What the stream tells while the answer is under way may be newer than the answer.
        const before = seen;
        try {
          const limits = { member, attemptTimeout: heartbeat, deadline: heartbeat };
          const { revision } = await etcd.range(prefix, { limit: 1, keysOnly: true }, limits);
          if (stopped.signal.aborted) return;
          if (before !== null && revision < before) {
            seen = null;
            return fail('the store is younger than what was read from it: its data were lost');
          }
          missed = isOpen ? 0 : missed + 1;
          if (missed >= 3) return fail('the watch was not opened');
          isHeard = true;
          look();
        } catch (error) {
          if (stopped.signal.aborted) return;
          isHeard = false;
          if (++missed >= 2) return fail((error as Error).message);
          continue;
        }
        await wait(heartbeat, undefined, { signal: stopped.signal }).catch(() => {});
      }
    })();
    return {
      created() {
        isOpen = true;
        look();
      },
      stop: () => stopped.abort(),
    };
  }

  void (async () => {
    while (!ended.signal.aborted) {
      const member = place;
      try {
        if (seen === null) await readAll();
        if (!ended.signal.aborted) await follow(member);
      } catch (error) {
        if (ended.signal.aborted) return;
        place = (member + 1) % etcd.urls.length;
        // The contact is only lost when the next one has none either.
        if (++failures >= 2)
          tell(`${etcd.urls[member]!}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
        await wait(BEFORE_NEXT, undefined, { signal: ended.signal }).catch(() => {});
      }
    }
  })();
  return { close: () => ended.abort() };
}

function changeOf(event: Record<string, unknown>): Change {
  const kind = event['type'] === 'DELETE' ? 'removed' : 'put';
  return { kind, ...keyValueOf((event['kv'] ?? {}) as Record<string, unknown>) };
}
