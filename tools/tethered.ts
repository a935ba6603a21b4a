import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process';

/** Without a signal number 0 there is no way to ask `setpriv` what it knows (BusyBox has one that lacks the option), so it is tried once. */
let knowsSetpriv: boolean | undefined;
function hasSetpriv(): boolean {
  knowsSetpriv ??= spawnSync('setpriv', ['--pdeathsig', 'TERM', 'true'], { stdio: 'ignore' }).status === 0;
  return knowsSetpriv;
}

/**
 * Spawns a child that gets `endSignal` when this process ends, whatever ends it: kill -9 leaves no orphans.
 *
 * The kernel does it (PR_SET_PDEATHSIG, set by util-linux' setpriv, which then becomes the command). Where setpriv is missing, a
 * shell waits for the end of a pipe that only this process holds. `mechanism` is an option so that both can be tested.
 */
export function spawnTethered(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { endSignal: 'SIGINT' | 'SIGTERM' | 'SIGQUIT' | 'SIGKILL' },
  mechanism: 'setpriv' | 'shell' = hasSetpriv() ? 'setpriv' : 'shell',
): ChildProcess {
  const { endSignal, ...rest } = options;
  const signal = endSignal.slice('SIG'.length);
  if (mechanism === 'setpriv') return spawn('setpriv', ['--pdeathsig', signal, command, ...args], rest);

  const child = spawn(command, args, rest);
  if (child.pid === undefined) return child;
  // In a session of its own: Ctrl-C in a terminal must not end the watcher before what it watches.
  const watcher = spawn('/bin/sh', ['-c', `read -r _; kill -s ${signal} "$0"`, String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  child.once('exit', () => watcher.kill('SIGKILL'));
  return child;
}
