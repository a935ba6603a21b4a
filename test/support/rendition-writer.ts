import { createHash } from 'node:crypto';
import { openRenditionCache } from '../../extracted/image-api/rendition-cache.ts';

// Keeps renditions in a folder until it has kept so many, or is killed: FOLDER LIMIT FIRST COUNT. Says what it has kept, a key a line, and `done`.
const [folder = '', limit, first, count] = process.argv.slice(2);
const cache = await openRenditionCache({
  folder,
  limit: Number(limit),
  log: { warn: (entry: unknown) => process.stderr.write(`${JSON.stringify(entry)}\n`) },
});
const keep = async (n: number): Promise<void> => {
  const key = `${createHash('sha256').update(`key ${n}`).digest('hex')}-${n}x-inside`;
  // Sizes of all kinds, and of each byte it is known whether it is right.
  await cache.keep(key, Buffer.alloc(500 + ((n * 7919) % 9000), `${n},`));
  process.stdout.write(`${key}\n`);
};
for (let n = Number(first); n < Number(first) + Number(count); n += 8)
  await Promise.all(Array.from({ length: 8 }, (_, index) => keep(n + index)));
await cache.close();
process.stdout.write('done\n');
