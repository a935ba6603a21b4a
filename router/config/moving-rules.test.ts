import assert from 'node:assert/strict';
import { parseConfig } from './parse.ts';

const yaml = (data: string, ...routes: readonly string[]): string => `flags: { file: flags.json }
upstreams: { monolith: { url: http://127.0.0.1:1 }, image-api: { url: http://127.0.0.1:2 } }
default: monolith
features:
  images:
    upstream: image-api
    flag: images
    data: ${data}
    key: [{ cookie: sid }]
    routes:
${routes.map((route) => `      - { ${route} }`).join('\n')}
`;
const faults = (...of: Parameters<typeof yaml>): string[] =>
  parseConfig(yaml(...of), {}).faults.map(({ line, path, message }) => `${line} ${path} ${message}`);

const POST = 'match: "POST /products/{product}/images", effect: write';
const PATCH = 'match: "PATCH /images/{id}", effect: write';
const GET = 'match: "GET /products/{product}/images", effect: read';

describe('the rules for data that moves', () => {
  it('are met by routes that name what they write where they can', () => {
    for (const data of ['moving', 'own', 'shared'])
      assert.deepEqual(faults(data, `${POST}, entity: product`, PATCH, GET), [], data);
    assert.deepEqual(faults('moving', GET), [], 'reads alone need none');
  });

  it('want an entity on some write, and on each that has it in its path', () => {
    assert.match(faults('moving', POST, PATCH)[0] ?? '', /^8 features\.images\.data .*give the routes/);
    const more = 'match: "DELETE /products/{product}/images/{id}", effect: write';
    assert.match(
      faults('moving', `${POST}, entity: product`, more)[0] ?? '',
      /^12 features\.images\.routes\[1\] .*say entity: product$/,
    );
    assert.deepEqual(faults('shared', POST, PATCH), []);
  });

  it('let no write be repeated at a side that would refuse it', () => {
    const shadowed = `${POST}, entity: product, shadowWrites: isolated`;
    assert.match(faults('moving', shadowed)[0] ?? '', /shadowWrites .*not the home/);
    assert.deepEqual(faults('own', shadowed), []);
  });
});
