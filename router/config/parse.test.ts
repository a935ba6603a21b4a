import assert from 'node:assert/strict';
import { parseConfig } from './parse.ts';

const GOOD = `listen: 127.0.0.1:8080
flags: { file: flags.json }
upstreams:
  monolith: { url: http://127.0.0.1:\${MONOLITH_PORT:-3000} }
  image-api: { url: http://127.0.0.1:3001, timeouts: { connect: 500ms, response: 10s } }
default: monolith
features:
  images:
    upstream: image-api
    flag: images
    key: [{ header: x-user-id }, { cookie: sid, claim: sub }, { issue: strangler_id }]
    routes:
      - { match: "GET /images/{id}", effect: read }
      - { match: "POST /products/{product}/images", effect: write, entity: product, maxBody: 25MiB }
`;

/** Faults as `line path`, which is what a person needs to find them. */
const faultsOf = (text: string, env = {}): string[] =>
  parseConfig(text, env).faults.map((fault) => `${fault.line} ${fault.path}`);

describe('strangler.yaml', () => {
  it('reads amounts, addresses and defaults', () => {
    const { config } = parseConfig(GOOD, {});
    assert.ok(config);
    assert.deepEqual(config.listen, { host: '127.0.0.1', port: 8080 });
    assert.deepEqual(config.upstreams['image-api']?.timeouts, { connect: 500, response: 10_000, idle: 4000 });
    assert.equal(config.features['images']?.routes[1]?.maxBody, 25 * 2 ** 20);
    assert.deepEqual(config.features['images']?.fallback.on, ['connect', 'timeout', '5xx']);
  });

  it('expands variables, also inside flow mappings', () => {
    assert.deepEqual(parseConfig(GOOD, { MONOLITH_PORT: '4000' }).config?.upstreams['monolith']?.urls, [
      'http://127.0.0.1:4000',
    ]);
    assert.deepEqual(parseConfig(GOOD, { MONOLITH_PORT: '' }).config?.upstreams['monolith']?.urls, [
      'http://127.0.0.1:3000',
    ]);
  });

  it('names the line of a variable that is not set, and takes no line breaks from one', () => {
    assert.deepEqual(faultsOf(GOOD.replace('8080', '${NOT_SET}')), ['1 ${NOT_SET}']);
    assert.deepEqual(faultsOf(GOOD.replace('8080', '${PORT}'), { PORT: '80\ndefault: evil' }), ['1 ${PORT}']);
    assert.deepEqual(faultsOf(`# \${NOT_SET}\n${GOOD}`), []);
  });

  it('finds every fault at once, each with its own line', () => {
    const text = GOOD.replace('listen: 127', 'lisen: 127')
      .replace('500ms', '500')
      .replace('effect: read', 'effect: look')
      .replace('upstream: image-api', 'upstrem: image-api');
    assert.deepEqual(faultsOf(text), [
      '1 lisen',
      '5 upstreams.image-api.timeouts.connect',
      '8 features.images.upstream',
      '9 features.images.upstrem',
      '13 features.images.routes[0].effect',
    ]);
  });

  it('refuses YAML that does not parse, and an empty file', () => {
    assert.deepEqual(faultsOf('listen: [1'), ['1 ']);
    assert.deepEqual(faultsOf('listen: 1\nlisten: 2\n'), ['2 ']);
    assert.deepEqual(faultsOf('\n'), ['null ']);
  });

  it('refuses names that do not exist', () => {
    assert.deepEqual(faultsOf(GOOD.replace('default: monolith', 'default: monolit')), ['6 default']);
    assert.deepEqual(faultsOf(GOOD.replace('upstream: image-api', 'upstream: image')), [
      '9 features.images.upstream',
    ]);
    assert.deepEqual(faultsOf(GOOD.replace('upstream: image-api', 'upstream: monolith')), [
      '9 features.images.upstream',
    ]);
    assert.deepEqual(faultsOf(GOOD.replace('entity: product', 'entity: shop')), [
      '14 features.images.routes[1].entity',
    ]);
  });

  it('refuses the same method and shape twice, naming both lines', () => {
    const again = `${GOOD}      - { match: "GET /images/{other}", effect: read }\n`;
    const [fault] = parseConfig(again, {}).faults;
    assert.equal(fault?.line, 15);
    assert.match(fault?.message ?? '', /line 15.*line 13/);
  });

  it('refuses one flag in two features, naming both lines', () => {
    const second = `  mail:\n    upstream: image-api\n    flag: images\n    key: [{ issue: a }]\n    routes: [{ match: "GET /mail", effect: read }]\n`;
    const [fault] = parseConfig(GOOD + second, {}).faults;
    assert.equal(fault?.line, 17);
    assert.match(fault?.message ?? '', /line 17.*line 10/);
  });

  it('warns that a header key without trusted proxies lets clients choose', () => {
    assert.deepEqual(
      parseConfig(GOOD, {}).warnings.map((warning) => warning.line),
      [11],
    );
    assert.deepEqual(parseConfig(`${GOOD}trust: { proxies: [10.0.0.0/8] }\n`, {}).warnings, []);
  });

  it('says what it does not act upon yet, rather than doing nothing in silence', () => {
    const text = `workers: 4\n${GOOD.replace('flag: images', 'flag: images\n    ramp: { steps: [1, 100] }\n    shadow: {}')}`;
    const unused = parseConfig(text, {}).warnings.filter(
      ({ message }) => message === 'is not acted upon yet',
    );
    assert.deepEqual(unused.map(({ line, path }) => `${line} ${path}`).toSorted(), [
      '12 features.images.ramp',
      '13 features.images.shadow',
    ]);
    assert.deepEqual(faultsOf(GOOD.replace('flag: images', 'flag: images\n    data: moving')), [
      '11 features.images.data',
    ]);
  });

  it('refuses routes that can not be meant', () => {
    for (const match of [
      'images',
      'get /images',
      'GET images',
      'GET /a/**/b',
      'GET /a/{x}/{x}',
      'GET /a//b',
      'GET /a/',
      'GET /a/../b',
      'GET /{x}y',
      'CONNECT /a',
      'GET /a?b',
    ]) {
      assert.deepEqual(
        faultsOf(GOOD.replace('GET /images/{id}', match)),
        ['13 features.images.routes[0].match'],
        match,
      );
    }
  });
});
