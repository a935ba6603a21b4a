import assert from 'node:assert/strict';
import { parseConfig } from './parse.ts';
import { readFlags } from '../flags/read.ts';

const BASE = `flags: { file: flags.json }
upstreams: { monolith: { url: http://127.0.0.1:3000 }, image-api: { url: http://127.0.0.1:3001 } }
default: monolith
features:
  images: { upstream: image-api, flag: images, key: [{ issue: id }], routes: [{ match: "GET /images/{id}", effect: read }] }
  mail:
    kind: seam
    upstream: email-api
    flag: mail
`;

const flag = (service: string, stage = 'off', weight = 0): object => ({
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
});

describe('a seam in strangler.yaml', () => {
  it('needs a flag and the name of a variant, and has the shape of any feature', () => {
    const { config, faults, warnings } = parseConfig(`${BASE}    shadow: { sample: 100% }\n`, {});
    assert.deepEqual([faults, warnings], [[], []]);
    const { mail, images } = config!.features;
    assert.deepEqual(
      [mail!.kind, mail!.routes, mail!.key, mail!.fallback.on, mail!.data, mail!.shadow!.sample],
      ['seam', [], [], [], 'shared', 1],
    );
    assert.equal(images!.kind, 'http');
    assert.deepEqual(
      Object.keys(mail!)
        .filter((key) => !['shadow', 'override'].includes(key))
        .toSorted(),
      Object.keys(images!)
        .filter((key) => !['shadow', 'override'].includes(key))
        .toSorted(),
    );
  });

  it('is refused what says something of requests, each with its line', () => {
    for (const [line, path, message] of [
      ['routes: [{ match: "GET /mail", effect: read }]', 'routes', /a seam has none.*no request/],
      ['key: [{ issue: id }]', 'key', /targetingKey/],
      ['fallback: { on: [5xx] }', 'fallback', /a seam has none/],
      ['override: { cookie: x }', 'override', /a seam has none/],
      ['context: [x-tenant]', 'context', /a seam has none/],
      ['data: moving', 'data', /shared or own/],
      ['shadow: { compare: json }', 'shadow.compare', /not a known key/],
    ] as const) {
      const [fault, more] = parseConfig(`${BASE}    ${line}\n`, {}).faults;
      assert.deepEqual([fault?.line, fault?.path, more], [10, `features.mail.${path}`, undefined]);
      assert.match(fault!.message, message);
    }
    const [unknown] = parseConfig(BASE.replace('seam', 'queue'), {}).faults;
    assert.deepEqual([unknown?.line, unknown?.path], [7, 'features.mail.kind']);
    assert.match(unknown!.message, /http.*seam/);
  });

  it('does not divert to the default upstream, nor share a flag, and takes gates and a ramp', () => {
    assert.match(
      parseConfig(BASE.replace('email-api', 'monolith'), {}).faults[0]!.message,
      /is the default upstream/,
    );
    assert.match(
      parseConfig(BASE.replace('flag: mail', 'flag: images'), {}).faults[0]!.message,
      /already taken/,
    );
    const more = '    gates: [{ metric: errorRate, max: 0.01 }]\n    ramp: { steps: [5, 100] }\n';
    assert.deepEqual(parseConfig(BASE + more, {}).faults, []);
    const upstreamOnly = BASE.replace('kind: seam', 'owner: x').replace(
      'flag: mail',
      'flag: mail\n    key: [{ issue: a }]\n    routes: [{ match: "GET /m", effect: read }]',
    );
    assert.match(parseConfig(upstreamOnly, {}).faults[0]!.message, /no upstream "email-api"/);
  });

  it('has a flag with variants named like the default upstream and the seam’s side', () => {
    const { config } = parseConfig(BASE, {});
    const read = (mail: object) =>
      readFlags(JSON.stringify({ flags: { images: flag('image-api'), mail } }), config!);
    assert.equal(read(flag('email-api')).flags.get('mail')!.stage, 'off');
    assert.match(read(flag('mail-api')).faults[0]!.message, /not an upstream.*email-api/);
    assert.match(read(flag('email-api', 'off', 5)).faults[0]!.message, /disagrees with stage off/);
    const foreign = { ...flag('email-api'), variants: { monolith: 'a', 'email-api': 'b', 'image-api': 'c' } };
    assert.deepEqual(read(foreign).faults, []);
    const images = readFlags(
      JSON.stringify({ flags: { images: flag('email-api'), mail: flag('email-api') } }),
      config!,
    );
    assert.match(
      images.faults[0]!.message,
      /not an upstream/,
      'the name of a seam is none of another feature',
    );
  });
});
