import type { ImageData } from './image-data.ts';
import type { Settings } from './settings.ts';

const isTerminal = process.stdout.isTTY;
const paint = (code: number, text: string): string => (isTerminal ? `\u001B[${code}m${text}\u001B[0m` : text);
const COLOURS = [36, 33, 35, 32, 34, 31];
const colours = new Map<string, number>();

// Who reads us may go away (`make up | head`); the services shall not suffer for it.
process.stdout.on('error', () => {});

/** Prints a line with the name of who said it in front. Lines of pino, which are JSON, are shortened to what a person reads. */
export function printLine(who: string, line: string): void {
  if (!colours.has(who)) colours.set(who, COLOURS[colours.size % COLOURS.length]!);
  process.stdout.write(`${paint(colours.get(who)!, who.padEnd(9))} │ ${readable(line)}\n`);
}

const LEVELS: Record<number, string> = { 40: 'warning: ', 50: 'error: ', 60: 'fatal: ' };

function readable(line: string): string {
  if (!line.startsWith('{')) return line;
  try {
    const { level, msg, ...fields } = JSON.parse(line) as {
      level: number;
      msg: string;
      [key: string]: unknown;
    };
    const more = Object.entries(fields)
      .filter(([key]) => !['time', 'pid', 'hostname', 'name'].includes(key))
      .map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    return [`${LEVELS[level] ?? ''}${msg ?? ''}`, ...more].join(' ').trim();
  } catch {
    return line;
  }
}

/** What to open and what to type next. */
export function printWelcome({ reach, ports, dataDir, smtpUrl, amqpUrl }: Settings, data: ImageData): void {
  const url = (port: number): string => paint(36, `http://${reach}:${port}/`);
  const rows = [
    ['shop', `${url(ports.ROUTER_PORT)}   demo@example.com / demo`],
    ['console', `${paint(36, `http://127.0.0.1:${ports.ADMIN_PORT}/`)}   token: cat ${dataDir}/admin-token`],
    [
      'directly',
      `${url(ports.MONOLITH_PORT)} monolith   ${url(ports.IMAGE_API_PORT)} image-api   ${url(ports.EMAIL_API_PORT)} email-api`,
    ],
    [
      'mail',
      `${smtpUrl ? 'sent through SMTP_URL' : `${dataDir}/mail/*.eml`}; jobs by ${amqpUrl === null ? 'pg-boss, in the database' : 'RabbitMQ'}`,
    ],
    ['divert', `node_modules/.bin/strangler shift images 10 --why "a try"   (back: shift images 0)`],
    [
      '',
      `node_modules/.bin/strangler promote mail --why "compare"   (then promote, shift mail 10; back: rollback mail)`,
    ],
    ...(data === 'moving'
      ? ([['move', 'node_modules/.bin/strangler move ramp images 10   (back: move reverse images)']] as const)
      : []),
    ['stop', 'Ctrl-C; the data stays'],
  ] as const;
  const body = rows.map(([name, text]) => `  ${paint(1, name.padEnd(9))} ${text}`).join('\n');
  process.stdout.write(`\n${paint(32, '●')} ${paint(1, 'everything is up')}\n\n${body}\n\n`);
}
