import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Where things listen in a run. */
export interface Ground {
  /** Temporary folder for configs. */
  readonly dir: string;
  /** Ports of the two upstreams. */
  readonly monolith: number;
  readonly service: number;
  /** Core of the proxy under test; load and upstreams have the other one. */
  readonly core: number;
}

export interface Contestant {
  readonly name: string;
  /** Does what the router does: split, headers, ids, 20 routes. The plain Node proxies only forward. */
  readonly hasPolicy: boolean;
  start(ground: Ground, port: number): ChildProcess;
}

const HERE = import.meta.dirname;
const ROOT = resolve(HERE, '..');

/** Routes of the diverted feature, the same for everybody who has a policy. */
const PATHS = [...Array(19).keys()].map((index) => `/feature${index}/`);

function pinned(
  core: number,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): ChildProcess {
  return spawn('taskset', ['-c', String(core), command, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

export const CONTESTANTS: readonly Contestant[] = [
  { name: 'nginx', hasPolicy: true, start: startNginx },
  { name: 'haproxy', hasPolicy: true, start: startHaproxy },
  { name: 'strangler', hasPolicy: true, start: startRouter },
  { name: 'fast-proxy', hasPolicy: false, start: (ground, port) => startNode('fast-proxy.ts', ground, port) },
  {
    name: '@fastify/http-proxy',
    hasPolicy: false,
    start: (ground, port) => startNode('fastify-http-proxy.ts', ground, port),
  },
  {
    name: 'express + http-proxy-middleware',
    hasPolicy: false,
    start: (ground, port) => startNode('http-proxy-middleware.ts', ground, port),
  },
];

function startNginx({ dir, monolith, service, core }: Ground, port: number): ChildProcess {
  const config = join(dir, 'nginx.conf');
  const routed = ['/images/', ...PATHS].map(
    (path) =>
      `location ${path} { proxy_pass http://$side; add_header Server-Timing 'strangler;desc="$side, canary 10 %"'; add_header Via "1.1 nginx"; add_header X-Request-Id $request_id; }`,
  );
  writeFileSync(
    config,
    `daemon off; master_process off; worker_processes 1; pid ${join(dir, 'nginx.pid')}; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; client_max_body_size 0; proxy_request_buffering off; client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  split_clients $http_x_user_id $side { 10% service; * monolith; }
  upstream monolith { server 127.0.0.1:${monolith}; keepalive 128; keepalive_requests 100000000; }
  upstream service { server 127.0.0.1:${service}; keepalive 128; keepalive_requests 100000000; }
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host; proxy_set_header Forwarded "for=$remote_addr;proto=$scheme;host=\\"$http_host\\""; proxy_set_header Via "1.1 nginx"; proxy_set_header X-Request-Id $request_id; proxy_set_header traceparent "00-$request_id-0000000000000001-00";
  server { listen 127.0.0.1:${port}; ${routed.join('\n')} location / { proxy_pass http://monolith; } }
}
`,
  );
  return pinned(core, 'nginx', ['-c', config, '-p', dir]);
}

function startHaproxy({ dir, monolith, service, core }: Ground, port: number): ChildProcess {
  const config = join(dir, 'haproxy.cfg');
  writeFileSync(
    config,
    `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  http-reuse always
frontend traffic
  bind 127.0.0.1:${port}
  unique-id-format %{+X}o%ci%cp%Ts%rt
  acl feature path_beg /images/ ${PATHS.join(' ')}
  acl chosen req.hdr(x-user-id),xxh32(0),mod(100) lt 10
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header Forwarded "for=%[src];proto=http;host=\\"%[req.hdr(host)]\\""
  http-request set-header Via "1.1 haproxy"
  http-request set-header X-Request-Id %[unique-id]
  http-request set-header traceparent "00-%[unique-id]-0000000000000001-00"
  http-response set-header Via "1.1 haproxy"
  http-response set-header Server-Timing "strangler;desc=\\"canary 10 %%\\""
  use_backend service if feature chosen
  default_backend monolith
backend monolith
  server one 127.0.0.1:${monolith}
backend service
  server one 127.0.0.1:${service}
`,
  );
  return pinned(core, 'haproxy', ['-q', '-db', '-f', config]);
}

function startRouter({ dir, monolith, service, core }: Ground, port: number): ChildProcess {
  const routes = ['/images/{id}', ...PATHS.map((path) => `${path}{id}`)];
  const upload = '      - { match: "POST /images/{id}", effect: write }';
  writeFileSync(
    join(dir, 'strangler.yaml'),
    `listen: 127.0.0.1:${port}
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
log: { requests: none }
upstreams: { monolith: { url: "http://127.0.0.1:${monolith}" }, service: { url: "http://127.0.0.1:${service}" } }
default: monolith
features:
  images:
    upstream: service
    flag: images
    key: [{ header: x-user-id }, { cookie: sid, claim: sub }, { issue: strangler_id }]
    override: { header: strangler-override, cookie: strangler_override }
    routes:
${routes.map((route) => `      - { match: "GET ${route}", effect: read }`).join('\n')}
${upload}
`,
  );
  const flag = {
    state: 'ENABLED',
    variants: { monolith: 'monolith', service: 'service' },
    defaultVariant: 'monolith',
    targeting: {
      fractional: [
        ['service', 10],
        ['monolith', 90],
      ],
    },
    metadata: { stage: 'canary' },
  };
  writeFileSync(join(dir, 'flags.json'), JSON.stringify({ flags: { images: flag } }));
  return pinned(
    core,
    process.execPath,
    [join(ROOT, 'cli/main.ts'), 'serve', '--config', join(dir, 'strangler.yaml')],
    { DATA_DIR: join(dir, 'state'), STRANGLER_OVERRIDE_KEY: 'bench' },
  );
}

function startNode(file: string, { monolith, core }: Ground, port: number): ChildProcess {
  return pinned(core, process.execPath, [join(HERE, 'proxies', file), String(port), String(monolith)], {
    NODE_ENV: 'production',
  });
}

/** nginx with fixed answers, on the core of the load: cheap enough never to be what is measured. An upload is answered when it is whole. */
export function startUpstreams({ dir, monolith, service, core }: Ground): ChildProcess {
  const config = join(dir, 'upstream.conf');
  writeFileSync(join(dir, 'small'), 'x'.repeat(1024));
  writeFileSync(join(dir, 'large'), 'x'.repeat(65_536));
  const server = (
    port: number,
    name: string,
  ): string => `server { listen 127.0.0.1:${port} backlog=4096; default_type application/octet-stream; add_header X-Served-By ${name};
    root ${dir}; location /images/large { rewrite ^ /large break; } location /sink { return 204; } location /images/upload { proxy_pass http://127.0.0.1:${port}/sink; proxy_pass_request_body off; proxy_set_header Content-Length ""; } location / { rewrite ^ /small break; } }`;
  writeFileSync(
    config,
    `daemon off; master_process off; worker_processes 1; pid ${join(dir, 'upstream.pid')}; error_log stderr crit;
events { worker_connections 8192; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 300s; open_file_cache max=10; client_max_body_size 0; client_body_buffer_size 6m; client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  ${server(monolith, 'monolith')} ${server(service, 'service')} }
`,
  );
  return pinned(1 - core, 'nginx', ['-c', config, '-p', dir]);
}
