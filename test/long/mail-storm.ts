import { setTimeout as wait } from 'node:timers/promises';
import { countMail } from '../support/mail-counter.ts';
import { testDatabase, testPool } from '../support/postgres.ts';
import { startBroker } from '../support/rabbitmq.ts';
import { startShop } from '../support/shop.ts';
import { proveDeadLetters } from './mail-storm-letters.ts';
import { messageIdOf, orderAll, ordersIn, POISON, type OrderRow } from './mail-storm-orders.ts';
import { changeAgainAndAgain, killAgainAndAgain, seamOf, troubleBroker } from './mail-storm-trouble.ts';
import type { BrokerTrouble, Kills } from './mail-storm-trouble.ts';

/*
 * A storm of orders over all there is: the shop with its router, mail by the monolith and by the email-api, processes and broker killed, the flag changed. In
 * the end every order in the database has its mail at a mail server, each Message-ID once.
 */

export interface StormOptions {
  readonly orders: number;
  readonly driver: 'pgboss' | 'amqp';
  readonly random: () => number;
  /** Orders a second, at most. */
  readonly rate: number;
  /** Seconds between two kills of each process, and of the broker. */
  readonly killEvery: number;
  readonly brokerKillEvery: number;
  /** Seconds that the broker is down, once. */
  readonly outage: number;
  readonly log: (line: string) => void;
}

export interface StormResult {
  /** What is wrong, as sentences; empty: nothing. */
  readonly wrong: readonly string[];
  /** Orders in the database; posts were as many or more, as clients repeat what they got no answer to. */
  readonly orders: number;
  readonly posts: number;
  readonly by: Readonly<Record<string, number>>;
  readonly repeats: number;
  readonly kills: Kills;
  readonly changes: Readonly<Record<string, number>>;
  /** Milliseconds from the order to the mail, outage and calm apart. */
  readonly delays: { readonly p50: number; readonly p99: number; readonly most: number };
  readonly outage: { readonly orders: number; readonly drainedMs: number } | null;
  readonly poison: { readonly dead: number; readonly replayed: number; readonly othersMs: number };
}

export async function mailStorm(options: StormOptions): Promise<StormResult> {
  const { driver, log } = options;
  await using running = new AsyncDisposableStack();
  const counter = await countMail();
  running.defer(() => counter.close());
  counter.refuse(POISON);
  const broker = driver === 'amqp' ? await startBroker() : null;
  if (broker) running.defer(() => broker.stop());
  const database = await testDatabase();
  running.defer(() => database.drop());
  const pool = testPool(database.url);
  running.defer(() => pool.end());
  const stores = { DATABASE_URL: database.urlFor('email_api'), AMQP_URL: broker?.url ?? '' };
  const shop = await startShop(
    {
      DATABASE_URL: database.url,
      IMAGE_DATABASE_URL: database.urlFor('image_api'),
      EMAIL_DATABASE_URL: stores.DATABASE_URL,
      AMQP_URL: stores.AMQP_URL,
      SMTP_URL: counter.url,
      MONOLITH_MAIL_INTERVAL_MS: '500',
      LOG_LEVEL: 'warn',
    },
    180_000,
  );
  running.defer(async () => void (await shop.stop()));
  const wrong: string[] = [];
  const seam = seamOf(shop);
  for (const step of ['promote', 'promote']) await seam.change(step);
  await seam.change('split', { percent: 50 });

  const over = new AbortController();
  const trouble: BrokerTrouble = { kills: 0, outage: null };
  const victims = [
    { entry: 'monolith/main.ts', readyUrl: `${shop.monolithUrl}/readyz` },
    { entry: 'extracted/email-api/main.ts', readyUrl: `${shop.emailApiUrl}/readyz` },
    ...(broker ? [{ entry: 'monolith/relay.ts', readyUrl: null }] : []),
  ];
  const killing = killAgainAndAgain(shop, victims, options.killEvery, over.signal);
  const changing = changeAgainAndAgain(shop, options.random, over.signal);
  const troubling = broker
    ? troubleBroker(
        broker,
        { outage: options.outage, seconds: options.brokerKillEvery },
        over.signal,
        trouble,
      )
    : Promise.resolve();
  const posts = await orderAll(shop, options, () => broker === null || trouble.outage !== null, log);
  over.abort();
  const [kills, changes] = [{ ...(await killing), ...(broker && { broker: 0 }) }, await changing];
  await troubling;
  if (broker) kills['broker'] = trouble.kills;
  log(`${posts} posts, ${JSON.stringify(kills)}, ${JSON.stringify(changes)}`);

  const isThere = (order: OrderRow): boolean => counter.taken.has(messageIdOf(order));
  const missingOf = async (): Promise<OrderRow[]> =>
    (await ordersIn(pool)).filter((order) => !POISON.test(order.email) && !isThere(order));
  await settle(missingOf, wrong, log);
  const stormy = await ordersIn(pool);
  const { outage } = trouble;
  const within = ({ at }: OrderRow): boolean => outage !== null && at >= outage.from && at <= outage.until;
  const delaysOf = (orders: readonly OrderRow[]): number[] =>
    orders
      .filter(isThere)
      .map((order) => counter.taken.get(messageIdOf(order))![0]! - order.at)
      .toSorted((a, b) => a - b);
  const delays = delaysOf(stormy.filter((order) => !within(order)));
  const during = stormy.filter(within);
  const lastArrival = Math.max(
    0,
    ...during.filter(isThere).map((order) => counter.taken.get(messageIdOf(order))![0]!),
  );

  const poison = await proveDeadLetters({ shop, counter, pool, stores, wrong });
  const orders = await ordersIn(pool);
  const ids = new Set(orders.map(messageIdOf));
  const missing = [...ids].filter((id) => !counter.taken.has(id));
  const foreign = [...counter.taken.keys()].filter((id) => !ids.has(id));
  if (missing.length > 0)
    wrong.push(`${missing.length} orders have no mail, as ${missing.slice(0, 3).join(', ')}`);
  if (foreign.length > 0)
    wrong.push(`${foreign.length} mails have no order, as ${foreign.slice(0, 3).join(', ')}`);
  const killed = Object.values(kills).reduce((sum, count) => sum + count, 0);
  if (counter.repeats() > killed) wrong.push(`${counter.repeats()} repeats by ${killed} kills`);
  if (outage && during.length === 0) wrong.push('no order was taken while the broker was down');
  if (wrong.length > 0) log(shop.output().split('\n').slice(-60).join('\n'));
  return {
    wrong,
    orders: orders.length,
    posts,
    by: Object.fromEntries([...Map.groupBy(orders, ({ by }) => by)].map(([by, all]) => [by, all.length])),
    repeats: counter.repeats(),
    kills,
    changes,
    delays: { p50: rank(delays, 0.5), p99: rank(delays, 0.99), most: rank(delays, 1) },
    outage: outage && { orders: during.length, drainedMs: Math.max(0, lastArrival - outage.until) },
    poison,
  };
}

const rank = (sorted: readonly number[], share: number): number =>
  Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);

/** Waits for the rest of the mails; gives up, with a sentence, when none comes any more. */
async function settle(
  missing: () => Promise<OrderRow[]>,
  wrong: string[],
  log: (line: string) => void,
): Promise<void> {
  let [left, since] = [Infinity, Date.now()];
  for (let shown = 0; left > 0; await wait(200)) {
    const rows = await missing();
    if (rows.length < left) since = Date.now();
    left = rows.length;
    if (Date.now() - since > 120_000) {
      wrong.push(`${left} mails do not come, as ${JSON.stringify(rows.slice(0, 3))}`);
      return;
    }
    if (Date.now() - shown > 10_000) {
      shown = Date.now();
      log(`${left} mails are on their way`);
    }
  }
}
