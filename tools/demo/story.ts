import { pidsOf } from '../processes.ts';
import { KEYS, login, sides, startReaders, upload, type Readers } from './customers.ts';
import { chapter, holds, quote, strangler, tell, until, type Said } from './screen.ts';
import type { StandIn } from './stand-in.ts';

export interface Stage {
  /** Of the router. */
  readonly url: string;
  readonly service: StandIn;
  readonly env: NodeJS.ProcessEnv;
  /** Process that keeps the services alive. */
  readonly supervisor: number;
}

interface Entry {
  readonly who: string;
  readonly action: string;
  readonly why: string;
  readonly after: { readonly stage: string; readonly percent: number | null; readonly ramp: string };
}

/** Tells the story. Rejects at the first sentence that does not hold. */
export async function tellStory(stage: Stage): Promise<void> {
  const { url } = stage;
  const products = (await (await fetch(`${url}/products`)).json()) as unknown[];
  holds(`the shop serves ${products.length} products through the router`, products.length >= 8);
  const cookie = await login(url);
  const picture = await upload(url, cookie);
  tell(`a customer logs in and uploads a picture: ${picture}`);
  holds('the monolith answers everybody', (await sides(url, picture)).size === 0);
  const readers = startReaders(url, picture);
  try {
    await shadow(stage, picture, readers);
    await ramp(stage, picture, readers);
    await killed(stage, readers);
  } finally {
    await readers.stop();
  }
  const failed = readers.statuses.filter((status) => status !== 200).length;
  holds(`in all of this, ${failed} of ${readers.statuses.length} reads failed`, failed === 0);
  await back(stage, cookie);
}

async function shadow(stage: Stage, picture: string, readers: Readers): Promise<void> {
  const { url, service, env } = stage;
  chapter('Shadow: the service is asked too, and nobody sees its answers');
  service.trouble = 'swapped';
  tell('the service was deployed with a mistake in it');
  await strangler(env, ['promote', 'images', '--why', 'let us see what it would answer']);
  await readers.more(400);
  holds('the monolith still answers everybody', (await sides(url, picture)).size === 0);
  const parity = await askParity(env);
  quote(parity.out);
  holds('the shadow’s answers differ, and the table says where', /\$\.(width|height)/.test(parity.out));
  const refused = await strangler(env, ['promote', 'images', '--why', 'what could go wrong'], 1);
  quote(refused.err);
  holds('promoting is refused, with the reason', refused.err.includes('parity'));

  chapter('The fix');
  service.trouble = 'none';
  tell('the mistake is found and the service deployed again');
  await strangler(env, ['rollback', 'images', '--why', 'width and height were swapped']);
  await strangler(env, ['promote', 'images', '--why', 'with the fix']);
  await readers.more(400);
  await strangler(env, ['promote', 'images', '--why', 'all answers match']);
  const [promoted] = await entries(stage);
  holds('parity passes its gate: the feature is in canary', promoted?.after.stage === 'canary');
}

async function askParity(env: NodeJS.ProcessEnv): Promise<Said> {
  return strangler(env, ['parity', 'images', '--limit', '1']);
}

async function ramp(stage: Stage, picture: string, readers: Readers): Promise<void> {
  const { url, service, env } = stage;
  chapter('A ramp of 1, 10, 50, 100 %: a step every three seconds, if the gates pass');
  await strangler(env, ['resume', 'images', '--why', 'off we go']);
  await reaches(stage, 10);
  const ten = await sides(url, picture);
  holds(`at 10 %, ${ten.size} of ${KEYS} keys are answered by the service`, ten.size > 0);
  await reaches(stage, 50);
  const fifty = await sides(url, picture);
  holds(`at 50 %, it is ${fifty.size}, and all of the ${ten.size} are among them`, includes(fifty, ten));

  chapter('A fault at 50 %: one answer in twenty is a 500');
  const before = readers.statuses.length;
  service.trouble = 'errors';
  await reaches(stage, 10);
  const step = (await entries(stage)).find(({ action }) => action === 'stepBack')!;
  quote(step.why);
  holds('the ramp stepped back by itself, and waits for somebody', step.after.ramp === 'latched');
  holds(
    'no customer saw a fault: the monolith answered in the service’s place',
    readers.statuses.slice(before).every((status) => status === 200),
  );

  chapter('Mended, and on to everybody');
  service.trouble = 'none';
  await strangler(env, ['resume', 'images', '--why', 'the fault is mended']);
  await reaches(stage, 100);
  holds('all keys are answered by the service', (await sides(url, picture)).size === KEYS);
}

async function killed(stage: Stage, readers: Readers): Promise<void> {
  chapter('The service is killed under load');
  const services = (): number[] => pidsOf(stage.supervisor, 'extracted/image-api/main.ts');
  const [pid] = services();
  process.kill(pid!, 'SIGKILL');
  tell(`kill -9 ${pid}`);
  await until('another service', () => services().some((each) => each !== pid), 20_000);
  await readers.more(400);
  holds(
    'no read failed: the monolith answers until the service is back',
    readers.statuses.every((status) => status === 200),
  );
  await reaches(stage, 50);
  const [last] = await entries(stage);
  holds('a service that is gone is a breach: the ramp stepped back once more', last?.action === 'stepBack');
}

async function back({ url, env }: Stage, cookie: string): Promise<void> {
  chapter('And back');
  const picture = await upload(url, cookie);
  tell(`another picture, which the service takes: ${picture}`);
  await strangler(env, ['rollback', 'images', '--why', 'enough for today']);
  holds('nobody is answered by the service', (await sides(url, picture)).size === 0);
  const answer = await fetch(url + picture);
  holds('the monolith serves the picture that the service took', answer.status === 200);
  quote((await strangler(env, ['journal', 'images'])).out);
}

const includes = (all: Set<string>, some: Set<string>): boolean => [...some].every((key) => all.has(key));

/** The newest first. */
async function entries({ env }: Stage): Promise<Entry[]> {
  const response = await fetch(`http://127.0.0.1:${env['ADMIN_PORT']}/api/journal?feature=images`, {
    headers: { authorization: `Bearer ${env['STRANGLER_ADMIN_TOKEN']}` },
  });
  return ((await response.json()) as { entries: Entry[] }).entries;
}

/** Resolves when the last change brought the feature to that share. */
async function reaches(stage: Stage, percent: number): Promise<void> {
  try {
    await until(`${percent} %`, async () => (await entries(stage))[0]?.after.percent === percent, 30_000);
  } catch (error) {
    quote((await strangler(stage.env, ['status'])).out);
    throw error;
  }
}
