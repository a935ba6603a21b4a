import { Socket } from 'node:net';
import { noteGarbage } from '../garbage.ts';

/** Who reads a client's bytes. */
export interface ClientReader {
  /** A body is on its way to an upstream, so its next piece may be lent. */
  takesPieces(): boolean;
  /** Takes a piece of body that is gone when this returns. False: it is still being written, so the memory must be left alone. */
  lent(piece: Buffer): boolean;
  /** Takes bytes for good. False: no more for now. */
  received(bytes: Buffer): boolean;
}

const READ_BYTES = 64 * 1024;

/** What all plain connections read heads into. Nothing of it is ever kept or written: bytes are copied out of it before anything else runs. */
const SHARED = Buffer.allocUnsafeSlow(READ_BYTES);

/** Memory for pieces of bodies that nobody uses at the moment. */
const SPARE: Buffer<ArrayBuffer>[] = [];
const MAX_SPARE = 64;

/**
 * Reads a connection that was accepted and not yet read from. Node reads each piece of a connection into 64 KiB of new memory and cuts it to
 * size, which costs more than parsing a head does; `onread` reads into memory that is there already. Sockets that are accepted can't be told so, so
 * the plain ones are made anew around the same handle. That handle has no documented name; a socket without one, and TLS, is read as Node does.
 */
export function readClient(accepted: Socket, reader: ClientReader): Socket {
  const inner = accepted as unknown as { _handle?: object | null };
  const handle = inner._handle;
  if ('encrypted' in accepted || !handle) {
    accepted.on('data', (bytes: Buffer) => {
      noteGarbage(bytes.length);
      reader.received(bytes);
    });
    return accepted;
  }
  inner._handle = null;
  let memory: Buffer<ArrayBuffer> = SHARED;
  const onread = {
    buffer: (): Buffer => {
      if (!reader.takesPieces()) {
        if (memory !== SHARED && SPARE.length < MAX_SPARE) SPARE.push(memory);
        memory = SHARED;
      } else if (memory === SHARED) memory = SPARE.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
      return memory;
    },
    callback: (count: number): boolean => {
      const bytes = memory.subarray(0, count);
      if (memory === SHARED || !reader.takesPieces()) return reader.received(Buffer.from(bytes));
      if (!reader.lent(bytes)) {
        memory = SHARED;
        noteGarbage(READ_BYTES);
      }
      return true;
    },
  };
  const socket = new Socket({ handle, onread } as never);
  socket.resume();
  return socket;
}
