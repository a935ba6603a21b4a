/** Amounts as people write them in strangler.yaml. Each parser answers null for what it does not understand. */

const DURATION: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE: Record<string, number> = {
  '': 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
};

/** `500ms`, `10s`, `1.5m`, `7d` → milliseconds. A bare number is refused: nobody can tell its unit. */
export function duration(text: string): number | null {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  return found ? Math.round(Number(found[1]) * DURATION[found[2]!]!) : null;
}

/** `1MiB`, `25MB`, `4096` → bytes. */
export function size(text: string): number | null {
  const found = /^(\d+(?:\.\d+)?)\s?(|B|KiB|MiB|GiB|kB|KB|MB|GB)$/.exec(text);
  return found ? Math.round(Number(found[1]) * SIZE[found[2]!]!) : null;
}

/** `10%` → 0.1; a fraction between 0 and 1 is taken as it is. */
export function share(text: string): number | null {
  const found = /^(\d+(?:\.\d+)?)\s?(%?)$/.exec(text);
  if (!found) return null;
  const value = Number(found[1]) / (found[2] ? 100 : 1);
  return value <= 1 ? value : null;
}
