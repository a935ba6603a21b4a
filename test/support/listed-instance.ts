import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { openRegistry, reachableUrl, registrySettings } from '../../extracted/image-api/registry.ts';

// A service that lists itself as the image-api does, with its registry, and answers every request after a moment with its port: `listed-instance.ts NAME`.
// Prints its port. On SIGTERM it leaves the registry first, then finishes what it has.

const [, , name = 'image-api'] = process.argv;
const registry = openRegistry(registrySettings(process.env), { info: () => {}, warn: () => {} });
let served = '';
const server = createServer(async (request, response) => {
  request.resume();
  await wait(request.url?.includes('slow') ? 1000 : 2);
  response.setHeader('x-served-by', served);
  response.end('a picture\n');
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  served = String(port);
  registry.join(name, reachableUrl('127.0.0.1', port));
  process.stdout.write(`${port}\n`);
});
process.once('SIGTERM', () => {
  void registry.leave().then(() => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
});
