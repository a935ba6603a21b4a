import { FAULT } from '../http/faults.ts';
import { forwardedLines } from '../http/forwarded.ts';
import type { ReceivedHead } from '../http/head.ts';
import { requestIds, type RequestIds } from '../http/ids.ts';
import { isAuthority } from '../http/host.ts';
import { readTarget, type Target } from '../http/target.ts';
import { HeadView } from '../http/view.ts';
import type { ClientConnection } from './client.ts';
import type { Gateway } from './gateway.ts';
import type { Plan, Route } from './plan.ts';

/** A valid head, and what is to be done with it. */
export interface Request {
  readonly target: Target;
  readonly view: HeadView;
  /** The plan, or the number of a fault in the target or in Host. */
  readonly outcome: Plan | number;
  readonly ids: RequestIds;
  readonly forwarded: string;
  readonly startedAt: number;
}

/** A request that goes to an upstream: everything that is needed to forward it, more than once if need be. */
export interface Forwarding extends Request {
  readonly head: ReceivedHead;
  readonly route: Route;
  /** The peer is a trusted proxy. */
  readonly isTrusted: boolean;
}

/** Reads what the head means and asks for the plan. Throws nothing: a plan that can't be made is a refusal. */
export function decideRequest(gateway: Gateway, client: ClientConnection, head: ReceivedHead): Request {
  const startedAt = gateway.now();
  const target: Target = { path: '', query: '', readings: null, authority: null, isVerbatim: true };
  let fault = readTarget(head, target);
  const own = client.hosts.host(head);
  if (own === null) fault = FAULT.HOST;
  const host = target.authority ?? own ?? '';
  const view = new HeadView(head, target, host, client.peer, gateway.isTrusted);
  const ids = requestIds(head, gateway.newId);
  const outcome = fault < 0 ? fault : plan(gateway, view);
  return { target, view, outcome, ids, forwarded: client.hosts.lines(head, client, host), startedAt };
}

function plan(gateway: Gateway, view: HeadView): Plan {
  try {
    return gateway.plan(view);
  } catch (error) {
    gateway.log.error({ err: error, path: view.path }, 'no plan could be made');
    return { refuse: { status: 500, code: 'INTERNAL', detail: 'the router failed; see its log' } };
  }
}

/** Hosts that were found valid, newest only: a connection mostly asks for one. */
export class HostMemory {
  #host = '';
  #minor = -1;
  #lines = '';

  /** The one valid Host; empty when an HTTP/1.0 request has none; null when it is invalid. */
  host(head: ReceivedHead): string | null {
    if (head.hostLine === -1) return '';
    const host = head.fields.value(head.bytes, head.hostLine);
    if (host !== '' && host === this.#host) return host;
    return isAuthority(host) ? host : null;
  }

  /** The lines of http/forwarded.ts for a peer that is believed nothing, made once. */
  lines(head: ReceivedHead, client: ClientConnection, host: string): string {
    if (client.peer.isTrusted) return forwardedLines(head, client.peer, host);
    if (this.#minor !== head.minor || this.#host !== host) {
      this.#lines = forwardedLines(head, client.peer, host);
      this.#host = host;
      this.#minor = head.minor;
    }
    return this.#lines;
  }
}
