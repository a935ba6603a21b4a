import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

// A server to be killed, stopped and counted, run as a process of its own. Prints its port; a POST is counted by its id in the query, and
// `/counts` answers how often each was executed. Usage: upstream.ts NAME [PORT] [MAX_IDLE_MS: idle connections are closed at random within it]
const [name = 'upstream', port = '0', maxIdle] = process.argv.slice(2);
const executed: Record<string, number> = {};

const server = createServer((request, response) => {
  if (request.url === '/counts') return void response.end(JSON.stringify(executed));
  if (request.method === 'POST') {
    const id = request.url!.split('id=')[1] ?? '';
    executed[id] = (executed[id] ?? 0) + 1;
  }
  request.resume();
  request.on('end', () => {
    response.end(name);
    if (maxIdle === undefined) return;
    const { socket } = request;
    let isIdle = true;
    socket.once('data', () => (isIdle = false));
    // Closed whether or not a request is just arriving: the race that a proxy has to win.
    setTimeout(() => isIdle && socket.destroy(), Math.random() * Number(maxIdle));
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(port), '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
