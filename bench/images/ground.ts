import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { form, formType, picturePart } from '../../test/support/hostile-requests.ts';
import { startImageApi, type ImageApiProcess } from '../../test/support/image-api-process.ts';
import { openImageSides, type ImageSides } from '../../test/support/image-sides.ts';
import { stopTestServer } from '../../test/support/postgres.ts';
import { freePorts } from '../../tools/processes.ts';
import { allocatorFor } from '../../tools/up/allocator.ts';
import type { Load, Loaded } from './load.ts';
import { missingNginx, startNginx } from './others/nginx.ts';
import { startOther, startWorker, untilListening, type Worker } from './processes.ts';
import type { Made, Work } from './raw-sharp.ts';

/** Everything that is measured, each a process of its own. */
export interface Ground {
  readonly sides: ImageSides;
  /** Renders each time: its caches are off. */
  readonly uncached: ImageApiProcess;
  readonly cached: ImageApiProcess;
  readonly load: Worker<Load, Loaded>;
  readonly sharp: Worker<Work, Made>;
  readonly ipx: { readonly port: number; readonly pid: number };
  /** Null when it is missing, and why. */
  readonly nginx: { readonly port: number; readonly pid: number } | null;
  readonly note: string | null;
  readonly files: { readonly port: number; readonly pid: number };
  readonly multer: { readonly port: number; readonly pid: number };
  /** Syncs what it has written, as the service does. */
  readonly synced: { readonly port: number; readonly pid: number };
  /** Folder that ipx, nginx and the static server serve. */
  readonly pictures: string;
  readonly uploads: string;
  /** Uploads to the service and puts what it stored into `pictures` under this name, so that all have the same bytes. Resolves with the path. */
  add(bytes: Buffer, name: string): Promise<string>;
  /** A process of the service that has done nothing yet. Who asked for it stops it. */
  fresh(): Promise<ImageApiProcess>;
  stop(): Promise<void>;
}

/** Starts all of it. Postgres is a real server without fsync; the shop, which is asked for its keys once, is in this process. */
export async function openGround(): Promise<Ground> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-images-'));
  const [pictures, uploads] = [join(dir, 'pictures'), join(dir, 'uploads')] as const;
  for (const folder of [pictures, uploads]) mkdirSync(folder);
  // What they look for again and again would be CPU of whatever is being measured.
  const sides = await openImageSides({ pollEvery: 600_000 });
  // As make up starts it.
  const started = {
    ...allocatorFor(process.env),
    UV_THREADPOOL_SIZE: String(availableParallelism() + 5),
    NODE_ENV: 'production',
  };
  const off = { IMAGE_CACHE_BYTES: '0', IMAGE_CACHE_MEMORY_BYTES: '0' };
  const uncached = await startImageApi(sides, 'own', { ...started, ...off });
  const cached = await startImageApi(sides, 'own', started);
  const [ipxPort, nginxPort, filesPort, multerPort, syncedPort] = (await freePorts(5)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const ipx = await startOther('ipx.ts', ipxPort, pictures);
  const files = await startOther('static.ts', filesPort, pictures);
  const multer = await startOther('multer.ts', multerPort, uploads);
  const synced = await startOther('multer.ts', syncedPort, uploads, 'synced');
  const note = missingNginx();
  const nginx = note === null ? startNginx(dir, nginxPort, pictures) : null;
  if (nginx) await untilListening(nginxPort, 'nginx');
  const load = await startWorker<Load, Loaded>('load.ts');
  const sharp = await startWorker<Work, Made>('raw-sharp.ts');
  const children: readonly (ChildProcess | null)[] = [
    ipx,
    files,
    multer,
    synced,
    nginx,
    load.child,
    sharp.child,
  ];
  return {
    sides,
    uncached,
    cached,
    load,
    sharp,
    ipx: { port: ipxPort, pid: ipx.pid! },
    nginx: nginx && { port: nginxPort, pid: nginx.pid! },
    note,
    files: { port: filesPort, pid: files.pid! },
    multer: { port: multerPort, pid: multer.pid! },
    synced: { port: syncedPort, pid: synced.pid! },
    pictures,
    uploads,
    fresh: () => startImageApi(sides, 'own', started),
    async add(bytes, name) {
      const headers = { cookie: sides.cookie, 'content-type': formType };
      const answer = await uncached.ask(
        'POST',
        '/products/1/images',
        headers,
        form(picturePart(bytes, name)),
      );
      if (answer.status !== 201) throw new Error(`${name}: ${answer.status} ${answer.body.toString()}`);
      const path = String(answer.headers['location']);
      writeFileSync(join(pictures, name), (await uncached.ask('GET', path)).body);
      return path;
    },
    async stop() {
      for (const child of children) child?.kill('SIGTERM');
      await Promise.all(
        children.map((child) =>
          child && child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null,
        ),
      );
      await Promise.all([uncached.stop(), cached.stop()]);
      await sides.close();
      await stopTestServer();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
