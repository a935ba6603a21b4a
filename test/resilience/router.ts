import { createDataPath } from '../../router/forward/datapath.ts';
import { listen } from '../../router/forward/listener.ts';

// The data path in a process of its own, so that its memory can be measured. Usage: router.ts UPSTREAM_URL. Prints its port; `SIGUSR2` makes it
// print its resident memory in bytes.
const [url = ''] = process.argv.slice(2);
const route = {
  upstream: 'm',
  fallback: null,
  fallbackOn: { connect: true, timeout: true, serverError: true, missing: false },
  maxBody: null,
  responseTimeout: null,
  stripHeaders: [],
  stripCookies: [],
  issueCookie: null,
  serverTiming: null,
  tap: null,
  homes: null,
  decision: null,
};
const dataPath = createDataPath({
  plan: () => route,
  observe: () => undefined,
  log: { error: console.error },
});
dataPath.setUpstreams([
  { name: 'm', urls: [url], timeouts: { connect: 1000, response: 30_000, idle: 4000 }, maxInFlight: 1024 },
]);
const listening = await listen({ host: '127.0.0.1', port: 0 }, dataPath);
process.on('SIGUSR2', () => console.log(process.memoryUsage.rss()));
console.log(listening.port);
