import { pidsOf } from '../processes.ts';
import { login } from './customers.ts';
import { chapter, holds, quote, strangler, tell, until } from './screen.ts';
import { startWriters, type Writers } from './writers.ts';

export interface MoveStage {
  /** Of the router, and of the monolith behind it. */
  readonly url: string;
  readonly monolithUrl: string;
  readonly env: NodeJS.ProcessEnv;
  /** Process that keeps the services alive. */
  readonly supervisor: number;
}

/** Tells how the pictures' data moves, comes back, and moves again, while customers write. Rejects at the first sentence that does not hold. */
export async function tellMove(stage: MoveStage): Promise<void> {
  const { url, env } = stage;
  await until(
    'all pictures to be copied and verified',
    async () => (await progress(env)).phase === 'ramp',
    30_000,
  );
  quote((await strangler(env, ['move', 'status', 'images'])).out);
  const writers = startWriters(url, await login(url));
  try {
    await writers.more(20);
    await over(stage, writers);
    await home(stage, writers);
    chapter('And over again');
    await strangler(env, ['move', 'ramp', 'images', '100']);
  } finally {
    await writers.stop();
  }
  const { written, failures } = writers;
  holds(
    `of ${2 * written.length} writes in all this, ${failures.length} failed, and the slowest took ${writers.slowest()} ms`,
    failures.length === 0,
  );
  const { waiting, buckets } = await progress(env);
  holds('the service is the home of every picture', buckets.atNew === buckets.all);
  holds(
    'nothing is parked',
    Object.values(waiting).every(({ parked }) => parked === 0),
  );
  const { code } = await strangler(env, ['move', 'verify', 'images']);
  holds('both sides are equal, row by row and file by file', code === 0);
}

async function over({ env, supervisor }: MoveStage, writers: Writers): Promise<void> {
  chapter('1024 buckets of products change their home, while customers upload');
  const ramp = strangler(env, ['move', 'ramp', 'images', '100']);
  const movers = (): number[] => pidsOf(supervisor, 'move run images');
  const [pid] = movers();
  process.kill(pid!, 'SIGKILL');
  tell(`kill -9 ${pid}: the mover, in the middle of it`);
  await ramp;
  await until('another mover', () => movers().some((each) => each !== pid), 20_000);
  await writers.more(10);
  holds('no write failed', writers.failures.length === 0);
}

async function home({ env, monolithUrl }: MoveStage, writers: Writers): Promise<void> {
  chapter('The way back');
  await strangler(env, ['move', 'reverse', 'images']);
  const written = [...writers.written];
  const missing: string[] = [];
  for (const { path, alt } of written) {
    const meta = await fetch(`${monolithUrl}${path}/meta`);
    const picture = await fetch(monolithUrl + path);
    await picture.arrayBuffer();
    const isThere = meta.ok && picture.ok && ((await meta.json()) as { alt: string }).alt === alt;
    if (!isThere) missing.push(path);
  }
  holds(
    `the monolith has all ${written.length} pictures that were uploaded, and their descriptions`,
    missing.length === 0,
  );
}

interface Progress {
  readonly phase: string;
  readonly buckets: { readonly all: number; readonly atNew: number };
  readonly waiting: Readonly<Record<string, { readonly parked: number }>>;
}

async function progress(env: NodeJS.ProcessEnv): Promise<Progress> {
  return JSON.parse(
    (await strangler(env, ['move', 'status', 'images', '--json'], 0, 'unseen')).out,
  ) as Progress;
}
