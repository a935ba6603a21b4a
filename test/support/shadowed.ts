import type { ParityJson } from '../../router/admin/protocol.ts';
import type { RouterProcess } from './router.ts';
import { until } from './until.ts';

/** The config of one feature whose two sides are compared; `shadow` is its YAML. */
export function shadowedConfig(monolith: string, service: string, shadow = '{ sample: 1 }'): string {
  return `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams:
  monolith: { url: ${monolith} }
  image-api: { url: ${service} }
default: monolith
features:
  images:
    upstream: image-api
    flag: images
    key: [{ header: x-user-id }]
    routes:
      - { match: "GET /images/{id}", effect: read }
      - { match: "POST /images", effect: write }
    shadow: ${shadow}
`;
}

export async function parityOf(router: RouterProcess): Promise<ParityJson> {
  return (await router.admin('/api/features/images/parity')).body as unknown as ParityJson;
}

/** Waits until so many results or drops are in. */
export async function settled(router: RouterProcess, count: number): Promise<ParityJson> {
  let last: ParityJson | undefined;
  await until(
    async () => {
      last = await parityOf(router);
      const { match, mismatch, ignored, incomparable } = last.counts;
      return match + mismatch + ignored + incomparable + last.dropped >= count;
    },
    () => `${count} results; there are ${JSON.stringify(last)}`,
    20_000,
  );
  return last!;
}
