import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { Account } from './account.ts';

/** What a server process needs of its surroundings; nothing of ours (PGPORT, LD_LIBRARY_PATH, TZ) may change how it works. */
export const SERVER_ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** sockaddr_un holds 107 bytes, and `/.s.PGSQL.5432.lock` follows the folder. */
const LONGEST_SOCKET_FOLDER = 85;

/** Makes the folder around data and socket, which only this user may enter: the server trusts whoever reaches its socket. */
export function makePrivateFolder(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(dir);
  const me = userInfo().uid;
  if (uid !== me)
    throw new Error(
      `${dir} belongs to the user ${uid}, and this is ${me}: run as that user, or name another folder with DATA_DIR`,
    );
  if ((mode & 0o077) !== 0) chmodSync(dir, 0o700);
}

/**
 * A fresh folder for the socket: `socket` below `dir`, or, where that is too long for a socket address, a link of that name to one in
 * the temporary folder. What a server that was killed left there goes first.
 */
export function makeSocketFolder(dir: string, account: Account): string {
  removeSocketFolder(dir);
  const place = join(dir, 'socket');
  let socket = place;
  if (Buffer.byteLength(place) > LONGEST_SOCKET_FOLDER) {
    const parent = Buffer.byteLength(tmpdir()) > LONGEST_SOCKET_FOLDER - 30 ? '/tmp' : tmpdir();
    socket = join(mkdtempSync(join(parent, 'strangler-socket-')), 's');
    symlinkSync(socket, place);
  }
  mkdirSync(socket, { mode: 0o700 });
  if (account) chownSync(socket, account.uid, account.gid);
  return socket;
}

export function removeSocketFolder(dir: string): void {
  const place = join(dir, 'socket');
  if (lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink())
    rmSync(dirname(readlinkSync(place)), { recursive: true, force: true });
  rmSync(place, { recursive: true, force: true });
}

/**
 * Makes the data folder with initdb, unless there is one. Made beside and renamed: a start that was cut short leaves none. Not `durable`
 * means that it is not forced to disk, for data that nobody will miss.
 */
export function makeDataFolder(
  data: string,
  { native, account, durable }: { native: string; account: Account; durable: boolean },
): void {
  if (statSync(data, { throwIfNoEntry: false })) return;
  const fresh = `${data}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  if (account) chownSync(fresh, account.uid, account.gid);
  const handle = openSync(fresh, 'r');
  try {
    const args = ['-D', '/proc/self/fd/3', '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale', 'C'];
    const { status, stderr, error } = spawnSync(
      join(native, 'bin/initdb'),
      durable ? args : [...args, '--no-sync'],
      {
        ...account,
        cwd: '/',
        env: SERVER_ENVIRONMENT,
        stdio: ['ignore', 'ignore', 'pipe', handle],
        encoding: 'utf8',
      },
    );
    if (error ?? status !== 0) {
      rmSync(fresh, { recursive: true, force: true });
      throw new Error(`initdb could not make ${data}: ${error?.message ?? stderr.trim()}`);
    }
  } finally {
    closeSync(handle);
  }
  renameSync(fresh, data);
}
