import type { Socket } from 'node:net';
import { FAULT, faultOf } from '../http/faults.ts';
import type { Peer } from '../http/forwarded.ts';
import { cannotEnd, readHead, type ReceivedHead } from '../http/head.ts';
import { readClient, type ClientReader } from './client-socket.ts';
import type { Asker, Carrier } from './asker.ts';
import { carrierOf } from './carrier.ts';
import type { Gateway } from './gateway.ts';
import { reportOwn } from './outcome.ts';
import { problem, writeOwn, type OwnAnswer } from './own-answer.ts';
import type { Route } from './plan.ts';
import { TOLD } from './refusals.ts';
import { spareHead, takeHead } from './spare-heads.ts';
import { HostMemory, decideRequest, type Request } from './request.ts';

const STATE = { idle: 0, head: 1, busy: 2, lingering: 3, upgraded: 4, closed: 5 } as const;

const NOT_READ: Partial<Request> = {};

/**
 * One client's connection. It cuts the byte stream into requests, one at a time: the head behind an exchange is looked at when the exchange
 * is over, so pipelined requests are answered in order and a fault in one is no fault in the one before it.
 */
export class ClientConnection implements ClientReader, Asker {
  readonly socket: Socket;
  readonly source: Socket;
  /** Not TLS: what is written is mostly taken by the kernel at once. */
  readonly isPlain: boolean;
  readonly peer: Peer;
  readonly hosts = new HostMemory();
  #state: number = STATE.idle;
  #exchange: Carrier | null = null;
  #request: Request | null = null;
  #head: ReceivedHead | null = null;
  /** What was received and not yet looked at. */
  #pending: Buffer | null = null;
  #deadline: number;
  #isInLoop = false;
  readonly #gateway: Gateway;
  readonly #onClosed: (connection: ClientConnection) => void;

  constructor(
    gateway: Gateway,
    accepted: Socket,
    peer: Peer,
    onClosed: (connection: ClientConnection) => void,
  ) {
    this.#gateway = gateway;
    this.isPlain = !('encrypted' in accepted);
    this.peer = peer;
    this.#onClosed = onClosed;
    this.#deadline = gateway.now() + gateway.limits.headMs;
    const socket = readClient(accepted, this);
    this.socket = socket;
    this.source = socket;
    socket.on('drain', () => this.#exchange?.clientDrained());
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#closed());
    socket.on('error', () => {
      // Said again by close, which is where it is dealt with.
    });
  }

  received(chunk: Buffer): boolean {
    if (this.#state === STATE.upgraded) return this.socket.push(chunk);
    if (this.#state > STATE.busy) return true;
    const pending = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk]);
    if (this.#state < STATE.busy) this.#next(pending, chunk);
    else {
      this.#pending = pending;
      if (this.#exchange?.body?.isAttached === true) this.deliverBody();
      if (this.#pending !== null && this.#pending.length > this.#gateway.limits.pipelineBytes)
        this.socket.pause();
    }
    return true;
  }

  /** Looks for heads in what there is, and answers them one after the other. */
  #next(bytes: Buffer, newest: Buffer | null): void {
    const { limits } = this.#gateway;
    this.#pending = bytes;
    if (newest !== null && cannotEnd(bytes, newest, limits.headBytes)) return;
    if (this.#isInLoop) return;
    this.#isInLoop = true;
    while (this.#state <= STATE.head && this.#pending !== null) {
      const pending: Buffer = this.#pending;
      const head = (this.#head ??= takeHead());
      const end = readHead(pending, 0, pending.length, head);
      if (end === 0 && pending.length <= limits.headBytes) {
        if (this.#state === STATE.idle) this.#deadline = this.#gateway.now() + limits.headMs;
        this.#state = STATE.head;
        break;
      }
      this.#state = STATE.busy;
      this.#pending = end > 0 && end < pending.length ? pending.subarray(end) : null;
      if (end <= 0 || end > limits.headBytes) this.#refuseHead(end < 0 ? end : FAULT.HEAD_TOO_LARGE);
      else this.#dispatch(head);
    }
    this.#isInLoop = false;
  }

  #dispatch(head: ReceivedHead): void {
    const request = decideRequest(this.#gateway, this, head);
    this.#request = request;
    if (typeof request.outcome === 'number') return this.#refuseHead(request.outcome);
    if ('refuse' in request.outcome)
      return this.#own(request, problem(request.outcome.refuse, request.outcome.refuse.headers));
    if ('reply' in request.outcome) return this.#own(request, request.outcome.reply);
    if (head.isWebSocket) return this.#upgrade(request, request.outcome);
    const forwarding = { ...request, head, route: request.outcome, isTrusted: this.peer.isTrusted };
    this.#exchange = carrierOf(this.#gateway, this, forwarding);
    this.#exchange.start();
  }

  #upgrade(request: Request, route: Route): void {
    const { socket } = this;
    socket.removeAllListeners();
    this.#state = STATE.upgraded;
    const rest = this.#pending;
    this.#pending = null;
    const head = this.#head!;
    this.#head = null;
    this.#onClosed(this);
    this.#gateway.upgrades.take(socket, { ...request, head, route, isTrusted: this.peer.isTrusted }, rest);
  }

  /** A head that is not accepted: where the next one starts is unknown, so the connection ends. */
  #refuseHead(fault: number): void {
    const told = faultOf(fault);
    const { view, ids, startedAt } = this.#request ?? NOT_READ;
    const requestId = ids?.requestId ?? this.#gateway.newId(16);
    writeOwn(this.socket, problem(told), { minor: this.#head!.minor, isHead: false, requestId }, true);
    reportOwn(this.#gateway, told.status, view, requestId, startedAt ?? this.#gateway.now());
    this.#linger();
  }

  /** An answer of the plan. */
  #own({ view, ids, startedAt }: Request, answer: OwnAnswer): void {
    reportOwn(this.#gateway, answer.status, view, ids.requestId, startedAt);
    this.answerOwn(answer);
  }

  /** Answers without an upstream. */
  answerOwn(answer: OwnAnswer): void {
    const { method, minor } = this.#head!;
    const closes = this.#mustClose();
    writeOwn(
      this.socket,
      answer,
      { minor, isHead: method === 'HEAD', requestId: this.#request!.ids.requestId },
      closes,
    );
    this.over(closes);
  }

  /** True when no other request can follow: it was asked for, the router drains, or a body is left that nobody reads. */
  #mustClose(): boolean {
    const head = this.#head!;
    const hasRest = (head.chunked || head.length > 0) && this.#exchange?.body?.isDone !== true;
    return !head.keepAlive || hasRest || this.#gateway.isDraining();
  }

  deliverBody(): void {
    const exchange = this.#exchange;
    const pending = this.#pending;
    if (exchange === null || exchange.body === null || exchange.body.isDone) return;
    this.#pending = null;
    const rest = pending === null ? null : exchange.pushBody(pending);
    if (this.#state === STATE.busy) this.#pending = rest;
    if (!exchange.body.isBlocked) this.socket.resume();
  }

  takesPieces(): boolean {
    return this.#pending === null && this.#exchange?.body?.takesPieces === true;
  }

  lent(piece: Buffer): boolean {
    const { body } = this.#exchange!;
    const rest = this.#exchange!.pushBody(piece);
    if (rest !== null && this.#state === STATE.busy) this.#pending = Buffer.from(rest);
    return !body!.holdsPieces;
  }

  over(closes: boolean): void {
    this.#exchange = null;
    this.#request = null;
    if (this.#state !== STATE.busy) return;
    if (closes || this.socket.destroyed) return this.#linger();
    this.#spareHead();
    this.#state = STATE.idle;
    this.#deadline = this.#gateway.coarseNow() + this.#gateway.limits.idleMs;
    this.socket.resume();
    if (this.#pending !== null) this.#next(this.#pending, null);
  }

  #spareHead(): void {
    if (this.#head !== null) spareHead(this.#head);
    this.#head = null;
  }

  /** Closes our side and reads on for a while: closing with unread bytes would reset the connection and take the answer with it. */
  #linger(): void {
    this.#spareHead();
    this.#exchange = null;
    this.#pending = null;
    this.#state = STATE.lingering;
    this.#deadline = this.#gateway.now() + this.#gateway.limits.lingerMs;
    this.socket.end();
    this.socket.resume();
  }

  /** Ends in the middle of an answer. A reset where there is one, so that an answer without a length does not look whole. */
  abort(): void {
    if (this.isPlain) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  /** The client has closed its side. A client that only half-closes looks the same as one that is gone, and is taken for that. */
  #ended(): void {
    if (this.#state === STATE.busy) this.socket.destroy();
  }

  #closed(): void {
    this.#state = STATE.closed;
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#pending = null;
    exchange?.clientGone();
    this.#spareHead();
    this.#onClosed(this);
  }

  /** Looks at the time, about ten times a second. */
  tick(now: number): void {
    if (this.#state === STATE.busy) return this.#exchange?.tick(now);
    if (now < this.#deadline) return;
    if (this.#state === STATE.head) {
      const requestId = this.#gateway.newId(16);
      writeOwn(this.socket, problem(TOLD.headTooSlow), { minor: 1, isHead: false, requestId }, true);
      this.#linger();
    } else if (this.#state === STATE.idle) this.#linger();
    else this.socket.destroy();
  }

  /** Ends the connection if no request is under way. */
  closeIdle(): void {
    if (this.#state <= STATE.head) this.#linger();
  }
}
