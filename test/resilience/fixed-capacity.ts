import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

// A server whose capacity is a number and not what its processor leaves over: it works on so many requests at once, each takes so long, the
// rest waits in line. Usage: fixed-capacity.ts AT_ONCE MILLISECONDS. Prints its port.
const [atOnce = '1', milliseconds = '10'] = process.argv.slice(2);
const line: ServerResponse[] = [];
let working = 0;

function work(response: ServerResponse): void {
  working++;
  setTimeout(() => {
    response.end('x');
    working--;
    const next = line.shift();
    if (next) work(next);
  }, Number(milliseconds));
}

const server = createServer((_request, response) => {
  if (working < Number(atOnce)) work(response);
  else line.push(response);
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
