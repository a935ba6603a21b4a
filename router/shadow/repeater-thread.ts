import { parentPort, workerData } from 'node:worker_threads';
import type { RepeaterSetup, ToRepeater } from './messages.ts';
import { createRepeater } from './repeater.ts';

// The thread that repeats and compares: neither connections to a shadow nor the decoding of pictures may hold up the loop that serves.
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
