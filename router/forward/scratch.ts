import type { Socket } from 'node:net';
import { SCRATCH, renewScratch } from '../http/outgoing.ts';

/**
 * Writes the first `length` bytes of SCRATCH. A plain socket mostly takes them at once, and nothing is copied; when the kernel did not take
 * all, the socket keeps the memory and the next head gets a new one. A socket that keeps what it is given anyway (TLS, or one with a queue)
 * gets a copy.
 */
export function sendScratch(socket: Socket, length: number, isPlain: boolean): boolean {
  if (!isPlain || socket.writableLength > 0 || socket.connecting)
    return socket.write(Buffer.from(SCRATCH.subarray(0, length)));
  const isTaken = socket.write(SCRATCH.subarray(0, length));
  if (socket.writableLength > 0) renewScratch();
  return isTaken;
}
