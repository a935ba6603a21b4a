import { setTimeout as wait } from 'node:timers/promises';
import { photo } from '../../test/contract/pictures.ts';

// Sellers who upload pictures without pause, and look at each in two sizes, as the page behind an upload shows it: `storm.ts URL COOKIE PRODUCTS CLIENTS`.
// Runs until it is ended; each second it tells its parent how many were taken, and why requests failed.

const [, , url = '', cookie = '', products = '', clients = '8'] = process.argv;
const ids = products.split(',');
/** Four megapixels: what a phone takes, made smaller before it is sent. */
const picture = await photo(2400, 1800);
let taken = 0;
const failed: Record<string, number> = {};
/** Milliseconds before somebody who was refused tries again. */
const AGAIN = 250;

async function seller(first: number): Promise<never> {
  for (let n = first; ; n++) {
    try {
      const form = new FormData();
      form.set('image', new Blob([new Uint8Array(picture)], { type: 'image/jpeg' }), 'picture.jpg');
      const product = ids[n % ids.length];
      const answer = await fetch(`${url}/products/${product}/images`, {
        method: 'POST',
        body: form,
        headers: { cookie },
      });
      await answer.arrayBuffer();
      if (answer.status !== 201) throw new Error(String(answer.status));
      for (const width of [320, 960]) {
        const seen = await fetch(`${url}${answer.headers.get('location')}?w=${width}`, {
          headers: { cookie },
        });
        await seen.arrayBuffer();
        if (!seen.ok) throw new Error(String(seen.status));
      }
      taken++;
    } catch (error) {
      const why = (error as Error).message;
      failed[why] = (failed[why] ?? 0) + 1;
      await wait(AGAIN);
    }
  }
}

for (let n = 0; n < Number(clients); n++) void seller(n);
setInterval(() => process.send?.({ taken, failed }), 1000);
