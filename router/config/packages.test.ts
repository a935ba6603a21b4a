import assert from 'node:assert/strict';
import { isInstalled, missingPackages } from './packages.ts';
import { parseConfig } from './parse.ts';

const config = (compare: string) =>
  parseConfig(
    `flags: { file: flags.json }
upstreams: { monolith: { url: "http://127.0.0.1:1" }, image-api: { url: "http://127.0.0.1:2" } }
default: monolith
features:
  images: { upstream: image-api, flag: images, key: [{ header: x }], routes: [{ match: "GET /images/{id}", effect: read }], shadow: { compare: ${compare} } }
`,
    {},
  ).config!;

describe('packages that a config needs', () => {
  it('are named when they are missing, with what to do', () => {
    const [fault, ...others] = missingPackages(config('image'), () => false);
    assert.equal(fault!.path, 'features.images.shadow.compare');
    assert.match(fault!.message, /npm install sharp/);
    assert.deepEqual(others, []);
  });

  it('are not asked for in vain', () => {
    assert.deepEqual(
      missingPackages(config('bytes'), () => false),
      [],
    );
    assert.deepEqual(missingPackages(config('image')), []);
    assert.deepEqual([isInstalled('sharp'), isInstalled('no-such-package-anywhere')], [true, false]);
  });
});
