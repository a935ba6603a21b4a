import { statSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * Holds a folder for one launcher at a time. The lock is a socket in Linux' abstract namespace, named by the folder's inode: the kernel
 * hands it to exactly one process and takes it back when that process ends, however it ends, so there is no stale lock.
 *
 * Returns what gives it back.
 */
export async function lockFolder(dir: string): Promise<() => void> {
  const { dev, ino } = statSync(dir);
  const server = createServer().unref();
  await new Promise<void>((done, fail) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      fail(
        error.code === 'EADDRINUSE'
          ? new Error(
              `another process runs the Postgres in ${dir}: stop that one first, or name another folder with DATA_DIR`,
            )
          : error,
      ),
    );
    server.listen(`\0strangler-postgres-${dev}-${ino}`, done);
  });
  return () => void server.close();
}
