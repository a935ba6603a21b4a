import httpProxy from '@fastify/http-proxy';
import fastify from 'fastify';

const [port, upstream] = process.argv.slice(2).map(Number) as [number, number];
const app = fastify({ bodyLimit: 2 ** 30 });
await app.register(httpProxy, { upstream: `http://127.0.0.1:${upstream}` });
await app.listen({ port, host: '127.0.0.1' });
