import { Problem } from './problem.ts';

/** Kinds of picture that are stored, by the name sharp has for them. */
export const TYPES = {
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  avif: 'image/avif',
  gif: 'image/gif',
} as const;
export type Kind = keyof typeof TYPES;
export type OutputKind = Exclude<Kind, 'gif'>;

/** What `q` is when it is not given. PNG loses nothing, so it has none. */
export const QUALITIES = { jpeg: 82, png: undefined, webp: 80, avif: 55 } as const satisfies Readonly<
  Record<OutputKind, number | undefined>
>;

/** How a picture is wanted. */
export interface Wish {
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly fit: 'cover' | 'contain' | 'inside';
  /** After `auto` was decided by what the client accepts. */
  readonly kind: OutputKind;
  /** Undefined where the kind has none: PNG. */
  readonly quality: number | undefined;
  /** True when the answer depends on the Accept header. */
  readonly isNegotiated: boolean;
  /** Tells this wish from every other one for the same picture, however it is worded; of letters, digits and dashes. Part of the ETag. */
  readonly mark: string;
}

/** Largest side of an output that can be asked for, in pixels. */
export const MAX_SIDE = 4096;

const READERS = {
  w: (text: string) => wholeNumber(text, MAX_SIDE),
  h: (text: string) => wholeNumber(text, MAX_SIDE),
  fit: (text: string) => (['cover', 'contain', 'inside'].includes(text) ? text : null),
  format: (text: string) => (['jpeg', 'png', 'webp', 'avif', 'auto'].includes(text) ? text : null),
  q: (text: string) => wholeNumber(text, 100),
} as const;
const ADVICE: Readonly<Record<string, string>> = {
  w: `a whole number from 1 to ${MAX_SIDE}`,
  h: `a whole number from 1 to ${MAX_SIDE}`,
  fit: 'cover, contain or inside',
  format: 'jpeg, png, webp, avif or auto',
  q: 'a whole number from 1 to 100',
};

/** The query of `GET /images/{id}`; null when it is empty: the stored picture as it is. Throws a 400 that names the parameter. */
export function readWish(query: URLSearchParams, stored: Kind, accept: string): Wish | null {
  if (query.size === 0) return null;
  const given: { w?: number; h?: number; fit?: string; format?: string; q?: number } = {};
  for (const [name, text] of query) {
    if (!Object.hasOwn(READERS, name))
      throw new Problem(400, `${name} is not a parameter; there are ${Object.keys(READERS).join(', ')}`);
    if (Object.hasOwn(given, name)) throw new Problem(400, `${name} is given more than once`);
    const value = READERS[name as keyof typeof READERS](text);
    if (value === null) throw new Problem(400, `${name} is ${ADVICE[name]}`);
    Object.assign(given, { [name]: value });
  }
  const { w: width, h: height } = given;
  // One side is fitted into whatever the fit says, and without a side nothing is fitted: wishes that come to the same are the same.
  const fit = (width && height ? (given.fit ?? 'cover') : 'inside') as Wish['fit'];
  const kind = kindFor(given.format, stored, accept);
  const preset = QUALITIES[kind];
  const quality = preset === undefined ? undefined : (given.q ?? preset);
  const mark = `-${width ?? ''}x${height ?? ''}-${fit}-${kind}-${quality === preset ? '' : quality}`;
  return { width, height, fit, kind, quality, isNegotiated: given.format === 'auto', mark };
}

/** WebP where it is taken: AVIF is smaller still, but costs ten times the time to make. */
function kindFor(format: string | undefined, stored: Kind, accept: string): OutputKind {
  const widest = stored === 'png' || stored === 'gif' ? 'png' : 'jpeg';
  if (format === 'auto') return acceptsWebp(accept) ? 'webp' : widest;
  return (format as OutputKind | undefined) ?? (stored === 'gif' ? 'png' : stored);
}

/** Wildcards don't count: those who can't show WebP send them too. Named twice, the kinder one counts. */
function acceptsWebp(accept: string): boolean {
  return [...accept.matchAll(/(?:^|,)\s*image\/webp\s*(?:;([^,]*))?(?=,|$)/gi)].some(
    ([, parameters = '']) => !/(?:^|;)\s*q=0(?:\.0*)?\s*(?:;|$)/i.test(parameters),
  );
}

function wholeNumber(text: string, maximum: number): number | null {
  return /^[1-9][0-9]*$/.test(text) && text.length <= 5 && Number(text) <= maximum ? Number(text) : null;
}
