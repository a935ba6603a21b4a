import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { storesFrom } from './config.ts';
import { openAmqpDeadBox } from './dead-box-amqp.ts';
import { openPgBossDeadBox } from './dead-box-pgboss.ts';
import type { Choice, DeadBox, DeadLetter } from './dead-box.ts';

const USAGE = `node extracted/email-api/dead-letters.ts list [--most 1000]
node extracted/email-api/dead-letters.ts replay  --id ID | --all
node extracted/email-api/dead-letters.ts discard --id ID | --all

With --json, the answer is JSON. ID is the mail's Message-ID, with or without its brackets. The queue is the one at AMQP_URL, else the one in
EMAIL_DATABASE_URL (or DATABASE_URL), else the one that make up left in DATA_DIR.
Exit: 0 done, 1 nothing has that id, 2 usage, or the queue can not be reached.
`;

/** A fault of who called; it is told in a sentence. */
class Usage extends Error {}

type Order =
  | { readonly verb: 'list'; readonly most: number; readonly json: boolean }
  | { readonly verb: 'replay' | 'discard'; readonly choice: Choice; readonly json: boolean };

function orderFrom(args: readonly string[]): Order {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      id: { type: 'string' },
      all: { type: 'boolean', default: false },
      most: { type: 'string', default: '1000' },
      json: { type: 'boolean', default: false },
    },
  });
  const { id, all, json } = values;
  const [verb, ...rest] = positionals;
  if (rest.length > 0) throw new Usage(`${rest[0]} is one word too many`);
  if (verb === 'list') {
    if (!/^[1-9]\d{0,5}$/.test(values.most))
      throw new Usage(`--most ${values.most} is not a number from 1 on`);
    return { verb, most: Number(values.most), json };
  }
  if (verb !== 'replay' && verb !== 'discard')
    throw new Usage(`there is no ${verb ?? 'dead-letters without a verb'}`);
  if ((id === undefined) !== all) throw new Usage(`${verb} needs --id ID or --all, one of them`);
  return { verb, choice: id === undefined ? 'all' : { id }, json };
}

async function run(box: DeadBox, order: Order): Promise<number> {
  if (order.verb === 'list') {
    const letters = await box.list(order.most);
    print(
      order.json ? JSON.stringify(letters) : letters.map(lineOf).join('\n') || 'there are no dead letters',
    );
    return 0;
  }
  const count = await box[order.verb](order.choice);
  const done = order.verb === 'replay' ? 'replayed' : 'discarded';
  print(order.json ? JSON.stringify({ [done]: count }) : `${done} ${count}`);
  return count === 0 && order.choice !== 'all' ? 1 : 0;
}

function lineOf({ id, error, attempts, at }: DeadLetter): string {
  const time = at?.toISOString() ?? 'at an unknown time';
  // An error is a server's own text: what would move the cursor is shown, not done.
  const text = `${id}  ${error}`.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, shown);
  return `${time}  ${attempts} ${attempts === 1 ? 'attempt ' : 'attempts'}  ${text}`;
}

/** As JSON writes it, and what JSON leaves as it is, by its number: the second half of the control characters moves a cursor too. */
function shown(character: string): string {
  const text = JSON.stringify(character).slice(1, -1);
  return text === character ? `\\u{${character.codePointAt(0)!.toString(16)}}` : text;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function openBox(): Promise<DeadBox> {
  const { EMAIL_DATABASE_URL: own, DATABASE_URL: shop } = process.env;
  const { databaseUrl, amqpUrl } = storesFrom({
    ...process.env,
    EMAIL_DATABASE_URL: own || shop || leftByUp(),
  });
  try {
    return await (amqpUrl === null ? openPgBossDeadBox(databaseUrl) : openAmqpDeadBox(amqpUrl));
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    // Of an address that stands for several, the message is empty.
    const why = message || code;
    throw new Error(
      amqpUrl === null
        ? `the queue in EMAIL_DATABASE_URL (or DATABASE_URL) can not be read: ${why}; where RabbitMQ has the mail, set AMQP_URL`
        : `the broker at AMQP_URL can not be used: ${why}`,
      { cause: error },
    );
  }
}

/** The database of `make up`'s own server, whose URL it leaves there. */
function leftByUp(): string | undefined {
  try {
    const text = readFileSync(join(process.env['DATA_DIR'] || '.data', 'databases.json'), 'utf8');
    return (JSON.parse(text) as Record<string, string>)['EMAIL_DATABASE_URL'];
  } catch {
    return undefined;
  }
}

try {
  const order = orderFrom(process.argv.slice(2));
  const box = await openBox();
  try {
    process.exitCode = await run(box, order);
  } finally {
    await box.close();
  }
} catch (error) {
  const isUsage =
    error instanceof Usage || String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${(error as Error).message}\n${isUsage ? USAGE : ''}`);
  process.exitCode = 2;
}
