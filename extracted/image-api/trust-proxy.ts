import { isIP } from 'node:net';

const NAMES = ['loopback', 'linklocal', 'uniquelocal'];

/**
 * Whose X-Forwarded-For is believed, as Express reads `trust proxy`: names and networks between commas; null for `none`. Throws for what is neither.
 */
export function trustedProxies(variable: string, text: string): string[] | null {
  if (text === 'none') return null;
  const entries = text.split(',').map((entry) => entry.trim());
  for (const entry of entries) {
    const [address = '', bits, ...more] = entry.split('/');
    const most = isIP(address) === 6 ? 128 : 32;
    const isNetwork =
      isIP(address) !== 0 &&
      more.length === 0 &&
      (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most));
    if (!NAMES.includes(entry) && !isNetwork)
      throw new Error(
        `${variable}=${text}: ${entry} is not a network like 10.0.0.0/8, nor ${NAMES.join(', ')}`,
      );
  }
  return entries;
}
