import { setTimeout as wait } from 'node:timers/promises';
import sharp from 'sharp';

/** A picture of a customer, as far as the customer knows. */
export interface Known {
  readonly bytes: Buffer;
  /** What its description may be: the last that was acknowledged, and, when the answer to a change was lost, that too. */
  alts: string[];
  /** `lost`: the answer to its deletion never came. */
  fate: 'kept' | 'gone' | 'lost';
}

export interface Album {
  /** By path, `/images/ID`; only those whose upload was acknowledged. */
  readonly pictures: Map<string, Known>;
  acked: number;
  /** Answers that never came, or that say of a failure on the way. */
  failed: number;
  /** What no customer may see: other bytes, another description, a picture that is not there right after its upload. */
  readonly wrong: string[];
}

let colour = 0;

/** A small picture like no other. */
async function picture(): Promise<Buffer> {
  colour += 1;
  const background = { r: colour % 256, g: (colour >> 8) % 256, b: 99 };
  return sharp({ create: { width: 24, height: 12, channels: 3, background } })
    .png()
    .toBuffer();
}

/**
 * Uploads pictures through the router, with a browser's cookies, reads them back, describes some, deletes some, until the signal. After an answer that was lost it leaves the picture
 * alone, for the write may still be on its way.
 */
export async function customer(
  url: string,
  cookie: string,
  signal: AbortSignal,
  album: Album,
): Promise<void> {
  // The pin, with which a customer reads where it has just written.
  let pins: readonly string[] = [];
  const ask = async (
    method: string,
    path: string,
    more: RequestInit = {},
  ): Promise<{ status: number; headers: Headers; bytes: Buffer } | undefined> => {
    const timeout = AbortSignal.timeout(20_000);
    try {
      const headers = {
        cookie: [cookie, ...pins].join('; '),
        accept: 'application/json',
        ...(more.headers as Record<string, string>),
      };
      const response = await fetch(url + path, { method, signal: timeout, ...more, headers });
      const bytes = Buffer.from(await response.arrayBuffer());
      const set = response.headers.getSetCookie().map((each) => each.split(';')[0]!);
      if (set.length > 0) pins = set;
      if (response.status < 500) return { status: response.status, headers: response.headers, bytes };
    } catch {
      // The router or a side was killed.
    }
    album.failed += 1;
    await wait(100);
    return undefined;
  };
  const expect = (what: string, status: number, wanted: number): void => {
    if (status === wanted) album.acked += 1;
    else album.wrong.push(`${what}: ${status}`);
  };

  for (let n = 0; !signal.aborted; n += 1) {
    const bytes = await picture();
    const body = new FormData();
    body.set('image', new Blob([new Uint8Array(bytes)], { type: 'image/png' }), 'x.png');
    const added = await ask('POST', `/products/${1 + (colour % 8)}/images`, { body });
    if (!added) continue;
    expect('upload', added.status, 201);
    if (added.status !== 201) continue;
    const path = added.headers.get('location')!;
    const known: Known = { bytes, alts: [''], fate: 'kept' };
    album.pictures.set(path, known);

    const read = await ask('GET', path);
    if (read && !(read.status === 200 && read.bytes.equals(bytes)))
      album.wrong.push(`${path}, right after its upload: ${read.status}, ${read.bytes.length} bytes`);

    const alt = `No ${n} of ${path}`;
    const described = await ask('PATCH', path, {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ alt }),
    });
    known.alts = !described ? ['', alt] : described.status === 200 ? [alt] : [''];
    if (described) expect(`describe ${path}`, described.status, 200);
    if (!described || n % 4 !== 3) continue;

    const deleted = await ask('DELETE', path);
    known.fate = !deleted ? 'lost' : deleted.status === 204 ? 'gone' : 'kept';
    if (deleted) expect(`delete ${path}`, deleted.status, 204);
  }
}

/** What is missing or different at one side, asked directly. */
export async function differences(side: string, { pictures }: Album): Promise<string[]> {
  const found: string[] = [];
  for (const [path, { bytes, alts, fate }] of pictures) {
    const response = await fetch(side + path);
    const got = Buffer.from(await response.arrayBuffer());
    if (fate === 'gone' ? response.status === 404 : fate === 'lost' && response.status === 404) continue;
    if (response.status !== 200 || fate === 'gone') found.push(`${path}, ${fate}: ${response.status}`);
    else if (!got.equals(bytes)) found.push(`${path}: other bytes`);
    else {
      const { alt } = (await (await fetch(`${side}${path}/meta`)).json()) as { alt: string };
      if (!alts.includes(alt)) found.push(`${path}: "${alt}" instead of "${alts.join('" or "')}"`);
    }
  }
  return found;
}
