import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Instance } from '../instances/instance.ts';

/** Who uses a connection to an upstream at the moment. */
export interface SocketOwner {
  connected(): void;
  /** Bytes of the upstream in `buffer[from, to)`. They are gone when this returns, and so is what stood before `from`. */
  received(buffer: Buffer, from: number, to: number): void;
  /** What was written has left. */
  drained(): void;
  /** The upstream has ended its side: nothing more comes. */
  finished(): void;
  /** The connection is gone; `error` says why it failed, null when it was closed. */
  closed(error: NodeJS.ErrnoException | null): void;
}

/** Memory before the bytes of a read, so that a longer head can be put before a body without moving the body. */
const HEADROOM = 4096;
const READ_BYTES = 64 * 1024;

/** How long an answer may still be read after a write has failed, in milliseconds. */
const READ_AFTER_WRITE = 100;

/**
 * One connection to an instance. Plain sockets read into a buffer of their own again and again, as long as nobody keeps it: when a client could
 * not take what was read at once, `keep()` says so and the next read gets new memory.
 */
export class UpstreamSocket {
  readonly instance: Instance;
  readonly socket: Socket;
  owner: SocketOwner | null;
  /** Exchanges it has served. */
  served = 0;
  /** Since when it has been idle, and until when it may be. */
  idleUntil = 0;
  /** How long the upstream said it keeps an idle connection (Keep-Alive: timeout), in milliseconds; Infinity: it did not. */
  promisedIdle = Infinity;
  isClosed = false;
  #error: NodeJS.ErrnoException | null = null;
  #buffer = EMPTY;
  #isKept = true;

  constructor(instance: Instance, owner: SocketOwner) {
    this.instance = instance;
    this.owner = owner;
    this.socket = instance.isTls ? this.#openTls() : this.#openPlain();
    this.#outliveFailedWrites();
    this.socket.on(instance.isTls ? 'secureConnect' : 'connect', () => this.owner?.connected());
    this.socket.on('drain', () => this.owner?.drained());
    this.socket.on('end', () => (this.owner ? this.owner.finished() : this.destroy()));
    this.socket.on('error', (error) => (this.#error = error));
    this.socket.on('close', () => this.#close());
  }

  #openPlain(): Socket {
    const { host, port } = this.instance;
    const callback = (count: number): boolean => {
      this.#receive(this.#buffer, HEADROOM, HEADROOM + count);
      return true;
    };
    const buffer = (): Uint8Array => {
      if (this.#isKept) {
        this.#buffer = Buffer.allocUnsafeSlow(HEADROOM + READ_BYTES);
        this.#isKept = false;
      }
      return this.#view();
    };
    return connectPlain({ host, port, noDelay: true, onread: { buffer, callback } });
  }

  #viewed = EMPTY;
  #viewOf = EMPTY;

  #view(): Uint8Array {
    if (this.#viewOf !== this.#buffer) {
      this.#viewOf = this.#buffer;
      this.#viewed = this.#buffer.subarray(HEADROOM);
    }
    return this.#viewed;
  }

  #openTls(): Socket {
    const { host, port } = this.instance;
    const servername = /[a-z]/i.test(host) && !host.includes(':') ? host : '';
    const socket = connectTls({ host, port, servername, ALPNProtocols: ['http/1.1'] });
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk, 0, chunk.length));
    return socket;
  }

  /**
   * An upstream that answers early (401, 413) and closes makes our next write fail, while its answer lies unread in the kernel. Node would close
   * the socket for the write; this gives the answer its moment to be read.
   */
  #outliveFailedWrites(): void {
    const { socket } = this;
    const destroy = socket.destroy.bind(socket);
    let isLate = false;
    socket.destroy = (error?: NodeJS.ErrnoException) => {
      if (error?.syscall !== 'write' || isLate || this.owner === null) return destroy(error);
      isLate = true;
      setTimeout(() => destroy(error), READ_AFTER_WRITE).unref();
      return socket;
    };
  }

  #receive(buffer: Buffer, from: number, to: number): void {
    // Bytes that nobody asked for are an answer to nobody: to give them to the next request would be to mix answers up.
    if (this.owner === null) this.destroy();
    else if (!this.isClosed) this.owner.received(buffer, from, to);
  }

  /** The bytes of the current read are still being written somewhere. */
  keep(): void {
    this.#isKept = true;
  }

  #close(): void {
    this.isClosed = true;
    const owner = this.owner;
    this.owner = null;
    owner?.closed(this.#error);
  }

  /** Closes at once; the owner is not told, for it is the one who does it. */
  destroy(): void {
    this.isClosed = true;
    this.owner = null;
    this.socket.destroy();
  }
}

const EMPTY = Buffer.alloc(0);
