import sharp from 'sharp';
import { setTimeout as pace } from 'node:timers/promises';
import { until } from './screen.ts';

/** Milliseconds between two requests of a reader. */
const PAUSE = 30;

/** Customers that are told apart. */
export const KEYS = 200;

/** Keys whose answer came from the service, by what the router says in Server-Timing. */
export async function sides(url: string, picture: string): Promise<Set<string>> {
  const answers = await Promise.all(
    [...Array(KEYS).keys()].map(async (i) => {
      const response = await fetch(`${url}${picture}/meta`, { headers: { 'x-user-id': `key-${i}` } });
      await response.arrayBuffer();
      return response.headers.get('server-timing')?.includes('image-api') ? [`key-${i}`] : [];
    }),
  );
  return new Set(answers.flat());
}

/** The cookie of the demo customer. */
export async function login(url: string): Promise<string> {
  const response = await fetch(`${url}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'demo@example.com', password: 'demo' }),
  });
  return response.headers.getSetCookie()[0]!.split(';')[0]!;
}

/** Uploads a picture of noise. Returns its path. */
export async function upload(url: string, cookie: string, product = 1): Promise<string> {
  const noise = { type: 'gaussian', mean: 120, sigma: 25 } as const;
  const bytes = await sharp({ create: { width: 640, height: 480, channels: 3, background: '#246', noise } })
    .jpeg()
    .toBuffer();
  const form = new FormData();
  form.set('image', new Blob([new Uint8Array(bytes)], { type: 'image/jpeg' }), 'photo.jpg');
  const response = await fetch(`${url}/products/${product}/images`, {
    method: 'POST',
    headers: { cookie },
    body: form,
  });
  if (response.status !== 201) throw new Error(`the upload was answered with ${response.status}`);
  return response.headers.get('location')!;
}

export interface Readers {
  /** Status of each answer so far; 0: none came. */
  readonly statuses: readonly number[];
  /** Resolves when so many more have been answered. */
  more(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** Sixteen customers at a time who read a picture's data, each time somebody else: some 500 requests a second. */
export function startReaders(url: string, picture: string): Readers {
  const statuses: number[] = [];
  let isOver = false;
  let turn = 0;
  const all = Promise.all(
    [...Array(16).keys()].map(async () => {
      while (!isOver) {
        await pace(PAUSE);
        const headers = { 'x-user-id': `reader-${turn++ % 1000}` };
        statuses.push(
          await fetch(`${url}${picture}/meta`, { headers }).then(
            async (response) => (await response.arrayBuffer(), response.status),
            () => 0,
          ),
        );
      }
    }),
  );
  return {
    statuses,
    async more(count) {
      const enough = statuses.length + count;
      await until(`${count} answers`, () => statuses.length >= enough, 30_000);
    },
    async stop() {
      isOver = true;
      await all;
    },
  };
}
