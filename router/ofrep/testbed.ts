import { writeFileSync } from 'node:fs';
import { startAdmin, type AdminBed } from '../admin/testbed.ts';
import type { AdminParts } from '../admin/api.ts';
import type { Json } from '../flags/targeting.ts';

/** An admin port with a seam `mail`, whose flag tests change, and a feature with routes in canary at 30 %. */
export interface SeamBed extends AdminBed {
  /** Puts the flag of the seam so. */
  set(stage: string, weight: number, more?: Record<string, Json>): void;
  /** Posts JSON, or the text as it is, with the token of applications. */
  post(
    path: string,
    body: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; etag: string | null; body: Record<string, unknown> }>;
}

export const SEAM_YAML = `flags: { file: flags.json }
upstreams: { monolith: { url: "http://127.0.0.1:1" }, image-api: { url: "http://127.0.0.1:2" } }
default: monolith
features:
  images: { upstream: image-api, flag: pictures, key: [{ header: x }], routes: [{ match: "GET /images/{id}", effect: read }] }
  mail: { kind: seam, upstream: email-api, flag: mail, shadow: { sample: 25% } }
`;

const flag = (service: string, stage: string, weight: number, more: object = {}): object => ({
  state: 'ENABLED',
  variants: { monolith: 'monolith', [service]: service },
  defaultVariant: 'monolith',
  targeting: {
    fractional: [
      [service, weight],
      ['monolith', 100 - weight],
    ],
  },
  metadata: { stage },
  ...more,
});

/** The text of flags.json. */
export const seamFlags = (stage: string, weight: number, more: object = {}): string =>
  JSON.stringify({
    flags: { pictures: flag('image-api', 'canary', 30), mail: flag('email-api', stage, weight, more) },
  });

export async function startSeam(overrides: Partial<AdminParts> = {}): Promise<SeamBed> {
  const bed = await startAdmin(overrides, { yaml: SEAM_YAML, flags: seamFlags('canary', 50) });
  return {
    ...bed,
    set(stage, weight, more = {}) {
      writeFileSync(bed.current.flagsPath, seamFlags(stage, weight, more));
      bed.current.refresh();
    },
    async post(path, body, headers = {}) {
      const response = await fetch(bed.url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${bed.appToken}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      const text = await response.text();
      return {
        status: response.status,
        etag: response.headers.get('etag'),
        body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
      };
    },
  };
}
