import pg from 'pg';
import type { JobWithMetadata } from 'pg-boss';
import { idIn, isChosen, type Choice, type DeadBox } from './dead-box.ts';
import { openPgBoss } from './pgboss.ts';
import { DEAD, MAIL } from './queue.ts';

/** Dead letters that are looked through at once. */
const PAGE = 1000;

/** The dead letters in the database; whether a letter is replayed, discarded or still there is decided by pg-boss, in one statement. */
export async function openPgBossDeadBox(databaseUrl: string): Promise<DeadBox> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2, connectionTimeoutMillis: 5000 });
  pool.on('error', () => undefined);
  const boss = await openPgBoss(pool, { warn: () => undefined }).catch(async (error: unknown) => {
    await pool.end();
    throw error;
  });

  async function* letters(): AsyncGenerator<JobWithMetadata> {
    let after: string | undefined;
    for (;;) {
      const page = await boss.findJobs<object>(DEAD, { queued: true, limit: PAGE, ...(after && { after }) });
      yield* page;
      if (page.length < PAGE) return;
      after = page.at(-1)!.id;
    }
  }
  const idOf = ({ id, data }: JobWithMetadata): string => idIn(data) ?? id;

  async function chosen(choice: Choice): Promise<string[]> {
    const ids: string[] = [];
    for await (const letter of letters()) if (isChosen(choice, idOf(letter))) ids.push(letter.id);
    return ids;
  }

  return {
    async list(most) {
      const all: JobWithMetadata[] = [];
      for await (const letter of letters()) all.push(letter);
      return all
        .toSorted((left, right) => left.createdOn.getTime() - right.createdOn.getTime())
        .slice(0, most)
        .map((letter) => ({
          id: idOf(letter),
          error: errorOf(letter.sourceOutput),
          attempts: (letter.sourceRetryCount ?? 0) + 1,
          at: letter.createdOn,
        }));
    },
    async replay(choice) {
      const ids = await chosen(choice);
      return ids.length === 0 ? 0 : boss.redrive(DEAD, { ids, destination: MAIL, limit: ids.length });
    },
    async discard(choice) {
      const ids = await chosen(choice);
      if (ids.length === 0) return 0;
      const { affected } = (await boss.deleteJob(DEAD, ids)) as unknown as { affected: number };
      return affected;
    },
    async close() {
      await boss.stop({ graceful: false, close: false });
      await pool.end();
    },
  };
}

/** Our `why`, or what pg-boss wrote of a job whose process died. */
function errorOf(output: unknown): string {
  const { message, value } = (output ?? {}) as { message?: unknown; value?: { message?: unknown } };
  const text = message ?? value?.message;
  return typeof text === 'string' ? text : 'unknown';
}
