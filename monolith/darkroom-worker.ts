import { parentPort } from 'node:worker_threads';
import { ITEMS, VIEWS } from './catalogue.ts';
import type { Exposure } from './darkroom.ts';
import { photograph } from './pictures.ts';

// The other end of darkroom.ts. A product's form is a function, which no message can carry: the thread looks it up in the catalogue itself.
parentPort!.on('message', async ({ item, view }: Exposure) => {
  parentPort!.postMessage(await photograph(ITEMS[item]!.still, VIEWS[view]!), []);
});
