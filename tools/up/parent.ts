import { readFileSync } from 'node:fs';

/**
 * Calls `onEnd` once when the `make` that started us ends or is being ended. A Ctrl-C reaches make and us, SIGTERM make passes on; but after a
 * SIGINT sent to make alone it waits for us without a word, with its handler for that signal taken off, and after kill -9 it is just gone.
 */
export function watchMake(onEnd: () => void): void {
  const make = process.ppid;
  // A shell starts background jobs with SIGINT ignored, and then make does not catch it from the beginning.
  const caughtOnce = catchesInterrupt(make);
  const isEnding = (): boolean => process.ppid !== make || (caughtOnce && !catchesInterrupt(make));
  const timer = setInterval(() => {
    if (!isEnding()) return;
    clearInterval(timer);
    onEnd();
  }, 250);
  timer.unref();
}

/** Whether a process has a handler for SIGINT; false when it is gone. */
function catchesInterrupt(pid: number): boolean {
  try {
    const [, caught] = /^SigCgt:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    // Signal 2 is the second bit.
    return caught !== undefined && (BigInt(`0x${caught}`) & 2n) !== 0n;
  } catch {
    return false;
  }
}

/** Whether we were started (by nohup) with SIGHUP ignored. */
export function ignoresHangup(): boolean {
  const [, ignored] = /^SigIgn:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return ignored !== undefined && (BigInt(`0x${ignored}`) & 1n) !== 0n;
}
