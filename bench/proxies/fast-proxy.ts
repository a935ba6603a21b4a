import { createServer } from 'node:http';
import fastProxy from 'fast-proxy';

const [port, upstream] = process.argv.slice(2).map(Number) as [number, number];
const { proxy } = fastProxy({ base: `http://127.0.0.1:${upstream}` });
createServer((request, response) => proxy(request, response, request.url!, {})).listen(port, '127.0.0.1');
