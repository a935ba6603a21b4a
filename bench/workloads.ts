/** What is asked for. Keys differ from request to request, so that the split is really decided. */
export interface Workload {
  readonly name: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: readonly string[];
  /** Bytes of the request's body. */
  readonly body: number;
  readonly connections: number;
}

/** What a browser sends with every request: about 750 bytes. */
const BROWSER = [
  'Connection: keep-alive',
  'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"',
  'sec-ch-ua-mobile: ?0',
  'sec-ch-ua-platform: "Windows"',
  'User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8',
  'Sec-Fetch-Site: same-origin',
  'Sec-Fetch-Mode: no-cors',
  'Sec-Fetch-Dest: image',
  'Referer: http://127.0.0.1:8080/products/7',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
  'Cookie: theme=dark; strangler_id=6c892257-f053-4c61-9b3d-63f0721a60a7',
];

export const WORKLOADS: readonly Workload[] = [
  { name: 'bare head, 1 KB', method: 'GET', path: '/images/1', headers: [], body: 0, connections: 32 },
  {
    name: 'browser’s head, 1 KB',
    method: 'GET',
    path: '/images/1',
    headers: BROWSER,
    body: 0,
    connections: 32,
  },
  {
    name: 'browser’s head, 64 KB',
    method: 'GET',
    path: '/images/large',
    headers: BROWSER,
    body: 0,
    connections: 32,
  },
  {
    name: '5 MB upload',
    method: 'POST',
    path: '/images/upload',
    headers: BROWSER,
    body: 5_000_000,
    connections: 4,
  },
];

/** The same as a script for wrk: a thousand requests with a thousand keys, made once. */
export function wrkScript({ method, path, headers, body }: Workload, host: string): string {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    ...headers,
    ...(body > 0 ? [`Content-Length: ${body}`] : []),
  ].map((line) => line.replaceAll('\\', '\\\\').replaceAll("'", "\\'"));
  const count = body > 0 ? 20 : 1000;
  return `local requests = {}
local body = string.rep('x', ${body})
for i = 1, ${count} do requests[i] = '${lines.join('\\r\\n')}\\r\\nx-user-id: user-' .. i .. '\\r\\n\\r\\n' .. body end
local at = 0
request = function() at = at % ${count} + 1; return requests[at] end
`;
}
