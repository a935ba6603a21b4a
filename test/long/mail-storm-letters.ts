import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type pg from 'pg';
import type { MailCounter } from '../support/mail-counter.ts';
import type { Shop } from '../support/shop.ts';
import { until } from '../support/until.ts';
import { messageIdOf, ordersIn, POISON, post, type OrderRow } from './mail-storm-orders.ts';
import { seamOf } from './mail-storm-trouble.ts';

/** In the calm: a refused mail holds nobody up, is a dead letter with its error, and goes out by one command once it is taken. */
export async function proveDeadLetters({
  shop,
  counter,
  pool,
  stores,
  wrong,
}: {
  readonly shop: Shop;
  readonly counter: MailCounter;
  readonly pool: pg.Pool;
  readonly stores: NodeJS.ProcessEnv;
  readonly wrong: string[];
}): Promise<{ dead: number; replayed: number; othersMs: number }> {
  const seam = seamOf(shop);
  await seam.change('resume');
  for (const step of ['promote', 'promote'])
    if ((await seam.read()).feature.stage !== 'canary') await seam.change(step);
  await seam.change('split', { percent: 100 });
  const before = Date.now();
  for (const name of ['poison-calm', ...Array.from({ length: 20 }, (_, each) => `calm-${each}`)])
    await until(() => post(shop.url, 1, `${name}@example.com`), 'an order');
  const calm = async (): Promise<OrderRow[]> =>
    (await ordersIn(pool)).filter(({ email, at }) => email.startsWith('calm-') && at >= before - 1000);
  await until(
    async () => (await calm()).every((order) => counter.taken.has(messageIdOf(order))),
    'the mails beside the refused one',
    60_000,
  );
  const othersMs = Math.max(
    ...(await calm()).map((order) => counter.taken.get(messageIdOf(order))![0]! - order.at),
  );
  const poison = (await ordersIn(pool)).filter(({ email }) => POISON.test(email));
  const theirs = poison.filter(({ by }) => by === 'email-api').map(messageIdOf);
  const letters = async (): Promise<{ id: string; error: string }[]> =>
    JSON.parse(await deadLetters(stores, 'list', '--json')) as { id: string; error: string }[];
  let found: { id: string; error: string }[] = [];
  await until(async () => (found = await letters()).length >= theirs.length, 'the dead letters', 60_000);
  if (
    found
      .map(({ id }) => id)
      .toSorted()
      .join() !== theirs.toSorted().join()
  )
    wrong.push(`dead letters are ${JSON.stringify(found.slice(0, 5))}, not ${theirs.slice(0, 5).join()}`);
  for (const { id, error } of found)
    if (!error.includes('no mailbox')) wrong.push(`the dead letter ${id} says ${error}`);
  counter.refuse(null);
  const answer = await deadLetters(stores, 'replay', '--all');
  // Those of the monolith wait for an hour at the most; nobody needs to.
  await pool.query('UPDATE orders SET mail_after = now() WHERE mailed_at IS NULL');
  await until(
    () => poison.every((order) => counter.taken.has(messageIdOf(order))),
    'the mails that were refused',
    60_000,
  ).catch((error: Error) => wrong.push(error.message));
  return { dead: found.length, replayed: Number(/\d+/.exec(answer)?.[0]), othersMs: Math.round(othersMs) };
}

/** The email-api's own command. */
async function deadLetters(stores: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const entry = join(resolve(import.meta.dirname, '../..'), 'extracted/email-api/dead-letters.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [entry, ...args], {
    env: { ...process.env, ...stores, EMAIL_DATABASE_URL: stores['DATABASE_URL'] },
  });
  return stdout;
}
