import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '@strangler-kit/router/config/parse.ts';
import { faultLine } from '@strangler-kit/router/config/fault.ts';
import { Failure, print } from '../output.ts';

interface InitOptions {
  readonly monolith: string;
  readonly service: string;
  readonly feature: string;
  readonly dir: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Writes the two files a stranger's monolith needs to stand behind the router; nothing is diverted yet. */
export function initCommand(options: InitOptions): void {
  const files = { 'strangler.yaml': yaml(options), 'flags.json': flags(options.feature) };
  // What is written must be good, so bad options are refused here and in the config's own words.
  const { faults } = parseConfig(files['strangler.yaml'], {});
  if (faults.length > 0)
    throw new Failure(
      2,
      faults.map((fault) => faultLine('strangler.yaml', fault)),
    );
  const paths = Object.keys(files).map((name) => join(options.dir, name));
  const there = paths.filter((path) => existsSync(path));
  if (there.length > 0 && !options.force)
    throw new Failure(
      2,
      there.map((path) => `${path} exists; --force replaces it`),
    );
  mkdirSync(options.dir, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(options.dir, name), text);
  print(options, { written: paths }, () => [
    ...paths.map((path) => `wrote ${path}`),
    '',
    'Next:',
    `  strangler check --config ${paths[0]}`,
    `  strangler serve --config ${paths[0]}      all traffic still goes to ${options.monolith}`,
    '  curl http://127.0.0.1:8080/',
    `Then name the real routes of "${options.feature}" in strangler.yaml, and promote it step by step.`,
  ]);
}

function yaml({ monolith, service, feature }: InitOptions): string {
  const name = JSON.stringify(feature);
  return `# strangler.yaml: the structure, changed by review. What changes at run time is the flag, in flags.json.
# \${NAME:-default} takes an environment variable. \`strangler check\` says what is wrong, with the line.

listen: \${ROUTER_HOST:-127.0.0.1}:\${ROUTER_PORT:-8080}   # where your users' traffic arrives
admin: { listen: "127.0.0.1:\${ADMIN_PORT:-8081}" }       # the API for the CLI; token in .data/admin-token
flags: { file: flags.json, writable: true }              # writable: false when something else manages the file
# trust: { proxies: [10.0.0.0/8] }                       # load balancers whose X-Forwarded-* is believed

upstreams:
  monolith: { url: ${JSON.stringify(monolith)} }
  service: { url: ${JSON.stringify(service)}, timeouts: { connect: 500ms, response: 10s } }
default: monolith                                        # everything that is no feature, and the way back

features:
  ${name}:
    owner: ""                                            # the team to ask
    upstream: service
    flag: ${name}
    # The first that is present decides a client's side, for good. The last hands out a cookie to whoever has none,
    # on HTML pages that no shared cache may keep.
    key: [{ issue: strangler_id }]
    routes:                                              # {x} is one segment, a final ** the rest, GET covers HEAD
      - { match: "GET /${encodeURIComponent(feature)}/{id}", effect: read }
      # - { match: "POST /${encodeURIComponent(feature)}", effect: write, maxBody: 10MiB }
    fallback: { on: [connect, timeout, 5xx] }            # reads the service fails at are answered by the monolith
`;
}

function flags(feature: string): string {
  const flag = {
    state: 'ENABLED',
    variants: { monolith: 'monolith', service: 'service' },
    defaultVariant: 'monolith',
    targeting: {
      fractional: [
        ['service', 0],
        ['monolith', 100],
      ],
    },
    metadata: { stage: 'off' },
  };
  return `${JSON.stringify({ $schema: 'https://flagd.dev/schema/v0/flags.json', flags: { [feature]: flag } }, null, 2)}\n`;
}
