// @ts-check
import { signal } from '@preact/signals';

/** @typedef {{ page: 'features' | 'journal' | 'upstreams' | 'config', name: string | null }} Place */

/** Where the reader is: `#/features`, `#/features/NAME`, `#/journal`, `#/upstreams`, `#/config`. */
export const place = signal(read());

addEventListener('hashchange', () => {
  place.value = read();
  scrollTo(0, 0);
});

/** @param {string} name */
export function linkTo(name) {
  return `#/features/${encodeURIComponent(name)}`;
}

/** @returns {Place} */
function read() {
  const [, page = '', name] = location.hash.split('/');
  if (page === 'journal' || page === 'upstreams' || page === 'config') return { page, name: null };
  return { page: 'features', name: name === undefined ? null : decoded(name) };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
