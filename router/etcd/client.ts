import { setTimeout as wait } from 'node:timers/promises';
import { call, closeSockets, EtcdError, openSockets, type Sockets } from './post.ts';

export interface EtcdOptions {
  /** Client URLs of the members. */
  readonly urls: readonly string[];
  /** How long one member may take for one call, in milliseconds; then the next one is asked. */
  readonly attemptTimeout?: number;
  /** How long a call may take over all members, in milliseconds. */
  readonly deadline?: number;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** Revision of the store at which the key was made, and at which it was last written. */
  readonly created: number;
  readonly modified: number;
}

export interface Range {
  /** Revision of the store that the answer shows. */
  readonly revision: number;
  readonly keys: readonly KeyValue[];
  /** How many there are, also beyond `limit`. */
  readonly count: number;
}

export interface RangeOptions {
  /** Up to this key, exclusive; without it the one key. */
  readonly end?: string;
  readonly limit?: number;
  /** Read as of this revision. */
  readonly revision?: number;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  /** By key; ascending without it. */
  readonly order?: 'ascending' | 'descending';
  /** Answered by the member alone, which may lag behind; says that it lives, not that it has contact. */
  readonly serializable?: boolean;
}

/** A condition of a transaction. `modified: 0` and `created: 0` mean that the key is not there. */
export type Compare = { readonly key: string } & (
  { readonly modified: number } | { readonly created: number } | { readonly value: string }
);

export type Operation =
  | { readonly put: string; readonly value: string; readonly lease?: string }
  | { readonly range: string; readonly options?: RangeOptions }
  | { readonly remove: string; readonly end?: string };

export interface Txn {
  readonly succeeded: boolean;
  readonly revision: number;
  /** Of the `range` operations of the branch that was taken, in their order. */
  readonly ranges: readonly Range[];
}

/**
 * A thin client of etcd's JSON gateway (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/). Each call asks one member after another
 * until one answers: so a write may be done twice, and one that rejects as `unanswered` may have been done. Guard a transaction by comparing,
 * and read a key of its own back. Rejects with EtcdError.
 */
export interface Etcd {
  readonly urls: readonly string[];
  range(key: string, options?: RangeOptions, limits?: CallLimits): Promise<Range>;
  put(key: string, value: string, lease?: string): Promise<number>;
  /** Removes a key, or all up to `end`; answers the revision. */
  remove(key: string, end?: string): Promise<number>;
  txn(
    compare: readonly Compare[],
    success: readonly Operation[],
    failure?: readonly Operation[],
    limits?: CallLimits,
  ): Promise<Txn>;
  /** Grants a lease of so many seconds; answers its id. */
  grant(seconds: number): Promise<string>;
  /** Answers the seconds left after renewing; 0 when there is no such lease (any more). */
  keepAlive(lease: string): Promise<number>;
  revoke(lease: string): Promise<void>;
  readonly sockets: Sockets;
  /** Ends what is under way. */
  close(): void;
}

export interface CallLimits {
  readonly attemptTimeout?: number;
  readonly deadline?: number;
  /** Ask this member only, by its place in `urls`. */
  readonly member?: number;
}

/** Between two rounds over all members, in milliseconds: all of them may be refusing at once. */
const BETWEEN_ROUNDS = 50;

export function createEtcd({ urls, attemptTimeout = 250, deadline = 5000 }: EtcdOptions): Etcd {
  const sockets = openSockets();
  /** Place of the member that answered last: the others are asked only when it does not. */
  let preferred = 0;
  let isClosed = false;

  async function ask(path: string, body: unknown, limits: CallLimits = {}): Promise<Json> {
    const end = performance.now() + (limits.deadline ?? deadline);
    const troubles = new Map<string, string>();
    const members = limits.member === undefined ? urls.length : 1;
    for (let attempt = 0; !isClosed; attempt++) {
      const left = end - performance.now();
      if (left <= 0) break;
      const place = limits.member ?? preferred;
      try {
        const timeout = Math.ceil(Math.min(left, limits.attemptTimeout ?? attemptTimeout));
        return (await call(sockets, urls[place]!, path, body, timeout)) as Json;
      } catch (error) {
        const fault = error as EtcdError;
        if (fault.kind === 'refused')
          throw new EtcdError(
            'refused',
            fault.code,
            `etcd at ${urls[place]!} refused ${path}: ${fault.message}`,
          );
        troubles.set(urls[place]!, fault.message);
        if (preferred === place) preferred = (place + 1) % urls.length;
      }
      if ((attempt + 1) % members === 0) await wait(BETWEEN_ROUNDS);
    }
    const where = [...troubles].map(([url, trouble]) => `${url}: ${trouble}`).join('; ');
    throw new EtcdError(
      'unanswered',
      null,
      `etcd did not answer ${path}${isClosed ? ', the client is closed' : ''} (${where})`,
    );
  }

  return {
    urls,
    sockets,
    range: async (key, options = {}, limits = {}) =>
      rangeOf(await ask('kv/range', rangeRequest(key, options), limits)),
    put: async (key, value, lease) =>
      revisionOf(
        await ask('kv/put', { key: encode(key), value: encode(value), ...(lease ? { lease } : {}) }),
      ),
    remove: async (key, end) =>
      revisionOf(
        await ask('kv/deleterange', { key: encode(key), ...(end ? { range_end: encode(end) } : {}) }),
      ),
    txn: async (compare, success, failure = [], limits = {}) => {
      const body = {
        compare: compare.map(comparison),
        success: success.map(operation),
        failure: failure.map(operation),
      };
      const answer = await ask('kv/txn', body, limits);
      const responses = (answer['responses'] ?? []) as Json[];
      return {
        succeeded: answer['succeeded'] === true,
        revision: revisionOf(answer),
        ranges: responses.flatMap((one) =>
          'response_range' in one ? [rangeOf(one['response_range'] as Json)] : [],
        ),
      };
    },
    grant: async (seconds) => String((await ask('lease/grant', { TTL: String(seconds) }))['ID']),
    keepAlive: async (lease) => Number((await ask('lease/keepalive', { ID: lease }))['TTL'] ?? 0),
    revoke: async (lease) => {
      try {
        await ask('lease/revoke', { ID: lease });
      } catch (error) {
        // Gone already: what was wanted.
        if ((error as EtcdError).code !== 5) throw error;
      }
    },
    close: () => {
      isClosed = true;
      closeSockets(sockets);
    },
  };
}

/** The first key after all that begin with `prefix`: the `end` of a range over them. */
export function endOf(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

type Json = Record<string, unknown>;

export function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

export function revisionOf(answer: Json): number {
  return Number(((answer['header'] ?? {}) as Json)['revision'] ?? 0);
}

/** A key and its value as the gateway tells them: bytes in base64, and 0 left out. */
export function keyValueOf(kv: Json): KeyValue {
  const text = (value: unknown): string => Buffer.from((value ?? '') as string, 'base64').toString('utf8');
  return {
    key: text(kv['key']),
    value: text(kv['value']),
    created: Number(kv['create_revision'] ?? 0),
    modified: Number(kv['mod_revision'] ?? 0),
  };
}

function rangeOf(answer: Json): Range {
  return {
    revision: revisionOf(answer),
    keys: ((answer['kvs'] ?? []) as Json[]).map(keyValueOf),
    count: Number(answer['count'] ?? 0),
  };
}

function rangeRequest(key: string, options: RangeOptions): Json {
  return {
    key: encode(key),
    ...(options.end === undefined ? {} : { range_end: encode(options.end) }),
    ...(options.limit === undefined ? {} : { limit: String(options.limit) }),
    ...(options.revision === undefined ? {} : { revision: String(options.revision) }),
    ...(options.keysOnly ? { keys_only: true } : {}),
    ...(options.countOnly ? { count_only: true } : {}),
    ...(options.serializable ? { serializable: true } : {}),
    ...(options.order === 'descending' ? { sort_order: 'DESCEND', sort_target: 'KEY' } : {}),
  };
}

function comparison(compare: Compare): Json {
  const key = encode(compare.key);
  if ('value' in compare) return { key, target: 'VALUE', result: 'EQUAL', value: encode(compare.value) };
  return 'created' in compare
    ? { key, target: 'CREATE', result: 'EQUAL', create_revision: String(compare.created) }
    : { key, target: 'MOD', result: 'EQUAL', mod_revision: String(compare.modified) };
}

function operation(one: Operation): Json {
  if ('put' in one)
    return {
      request_put: {
        key: encode(one.put),
        value: encode(one.value),
        ...(one.lease ? { lease: one.lease } : {}),
      },
    };
  if ('range' in one) return { request_range: rangeRequest(one.range, one.options ?? {}) };
  return {
    request_delete_range: { key: encode(one.remove), ...(one.end ? { range_end: encode(one.end) } : {}) },
  };
}
