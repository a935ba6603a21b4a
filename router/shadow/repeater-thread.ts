import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { RepeaterSetup, ToRepeater } from './messages.ts';
import { createRepeater } from './repeater.ts';

// The thread that repeats and compares: neither connections to a shadow nor the decoding of pictures may hold up the loop that serves.
stepBack();
const port = parentPort!;
const repeater = createRepeater({
  ...(workerData as RepeaterSetup),
  // A port between threads has no origin.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  post: (outcome) => port.postMessage(outcome),
  random: Math.random,
  now: Date.now,
});
port.on('message', (message: ToRepeater) => repeater.take(message));

/** Where both threads share a core, the one that serves goes first. On Linux a thread has a niceness of its own (sched(7)); elsewhere none is set. */
function stepBack(): void {
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), 10);
  } catch {
    // Not Linux, or not allowed: it repeats all the same.
  }
}
