import { Agent } from 'node:http';
import express from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';

const [port, upstream] = process.argv.slice(2).map(Number) as [number, number];
const app = express();
app.use(
  createProxyMiddleware({
    target: `http://127.0.0.1:${upstream}`,
    xfwd: true,
    agent: new Agent({ keepAlive: true }),
  }),
);
app.listen(port, '127.0.0.1');
