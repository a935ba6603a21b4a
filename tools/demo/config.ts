import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes the config and the flags of the demo: the shop's, with gates, a ramp on a fast clock, and a service that can be made to fail. */
export function writeConfig(dir: string, standInPort: number): string {
  const path = join(dir, 'strangler.yaml');
  writeFileSync(
    path,
    `listen: 127.0.0.1:\${ROUTER_PORT}
admin: { listen: "127.0.0.1:\${ADMIN_PORT}" }
flags: { file: "\${FLAGS_FILE}" }
upstreams:
  monolith: { url: "http://127.0.0.1:\${MONOLITH_PORT}" }
  image-api: { url: "http://127.0.0.1:${standInPort}", timeouts: { connect: 500ms, response: 10s } }
default: monolith
features:
  images:
    owner: media-team
    upstream: image-api
    flag: images
    data: \${IMAGES_DATA}
    key: [{ header: x-user-id }, { cookie: sid, claim: sub }, { issue: strangler_id }]
    routes:
      - { match: "POST /products/{product}/images", effect: write, entity: product, maxBody: 26MiB }
      - { match: "GET /products/{product}/images", effect: read }
      - { match: "GET /images/{id}", effect: read }
      - { match: "GET /images/{id}/meta", effect: read }
      - { match: "PATCH /images/{id}", effect: write }
    shadow: { sample: 100%, compare: image }
    gates:
      - { metric: parity, min: 0.99, samples: 50 }
      - { metric: errorRate, maxDelta: 0.01, samples: 20 }
    ramp: { steps: [1, 10, 50, 100], hold: 3s }
`,
  );
  const images = {
    state: 'ENABLED',
    variants: { monolith: 'monolith', 'image-api': 'image-api' },
    defaultVariant: 'monolith',
    targeting: {
      fractional: [
        ['image-api', 0],
        ['monolith', 100],
      ],
    },
    metadata: { stage: 'off' },
  };
  writeFileSync(
    join(dir, 'flags.json'),
    JSON.stringify({ $schema: 'https://flagd.dev/schema/v0/flags.json', flags: { images } }),
  );
  return path;
}
