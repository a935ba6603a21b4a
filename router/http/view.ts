import type { RequestHead } from '../forward/plan.ts';
import { clientOf, isSecure, type Peer } from './forwarded.ts';
import type { ReceivedHead } from './head.ts';
import { FIELD, HOP_BY_HOP } from './names.ts';
import type { Target } from './target.ts';

/**
 * A head as the decider sees it. Headers become strings when they are asked for. What will not reach the upstream is not shown, be it
 * because Connection names it or because a peer that is not trusted claims it: nothing is decided on what the upstream doesn't get. The one
 * exception are the `Strangler-*` headers, which are meant for the decider alone.
 */
export class HeadView implements RequestHead {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly readings: readonly string[] | null;
  readonly host: string;
  readonly client: string;
  readonly secure: boolean;
  readonly #head: ReceivedHead;
  readonly #isTrusted: boolean;
  /** The cookies, asked for more than once a request; null: not read yet. */
  #cookie: string | undefined | null = null;

  constructor(
    head: ReceivedHead,
    target: Target,
    host: string,
    peer: Peer,
    isTrusted: (address: string) => boolean,
  ) {
    this.method = head.method;
    this.path = target.path;
    this.query = target.query;
    this.readings = target.readings;
    this.host = host;
    this.client = clientOf(head, peer, isTrusted);
    this.secure = isSecure(head, peer);
    this.#head = head;
    this.#isTrusted = peer.isTrusted;
  }

  header(name: string): string | undefined {
    const { bytes, fields } = this.#head;
    if (name === 'host') return this.host === '' ? undefined : this.host;
    if (name === 'cookie') return this.#cookie === null ? (this.#cookie = this.#cookies()) : this.#cookie;
    let text: string | undefined;
    for (let index = 0; index < fields.count; index++) {
      if (fields.nameEnd(index) - fields.start(index) !== name.length || !fields.isNamed(bytes, index, name))
        continue;
      if (fields.nominated[index] === 1 || this.#isHidden(fields.ids[index]!)) continue;
      const value = fields.value(bytes, index);
      text = text === undefined ? value : `${text}, ${value}`;
    }
    return text;
  }

  #cookies(): string | undefined {
    const { bytes, fields } = this.#head;
    let text: string | undefined;
    for (let index = 0; index < fields.count; index++) {
      if (fields.ids[index] !== FIELD.cookie || fields.nominated[index] === 1) continue;
      const value = fields.value(bytes, index);
      text = text === undefined ? value : `${text}; ${value}`;
    }
    return text;
  }

  #isHidden(id: number): boolean {
    if (HOP_BY_HOP[id] === 1) return true;
    return !this.#isTrusted && id >= FIELD.forwardedFor && id <= FIELD.forwarded;
  }
}
