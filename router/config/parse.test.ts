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

  it('expands defaults that hold variables, but no values that look so', () => {
    const text = GOOD.replace(
      '{ url: http://127.0.0.1:3001,',
      '{ urls: "${URLS:-http://127.0.0.1:${PORT:-3001}}",',
    );
    const urls = (env = {}): unknown => parseConfig(text, env).config?.upstreams['image-api']?.urls;
    assert.deepEqual(urls(), ['http://127.0.0.1:3001']);
    assert.deepEqual(urls({ PORT: '4' }), ['http://127.0.0.1:4']);
    assert.deepEqual(urls({ URLS: 'http://a:1, http://b:2', PORT: '4' }), ['http://a:1', 'http://b:2']);
    assert.notDeepEqual(urls({ URLS: 'http://a:${PORT}', PORT: '4' }), ['http://a:4']);
    assert.equal(
      parseConfig(
        GOOD.replace('flag: images', () => 'flag: "$${a}"'),
        {},
      ).config?.features['images']?.flag,
      '${a}',
    );
  });

  it('takes one source of instances, or a registry with a list for the time before it is heard', () => {
    const using = (text: string): string => GOOD.replace('{ url: http://127.0.0.1:3001,', `{ ${text},`);
    const env = { ETCD_URLS: 'http://127.0.0.1:2379', SERVICE: 'image-api' };
    const found = (text: string): unknown[] => {
      const { urls, etcd } = parseConfig(using(text), env).config!.upstreams['image-api']!;
      return [urls, etcd];
    };
    assert.deepEqual(found('etcd: image-api'), [null, 'image-api']);
    assert.deepEqual(found('etcd: "${SERVICE:-}", url: "http://a:1"'), [['http://a:1'], 'image-api']);
    assert.deepEqual(found('etcd: "${OTHER:-}", urls: ["http://a:1"]'), [['http://a:1'], null]);
    for (const wrong of [
      'etcd: ""',
      'url: "http://a:1", urls: "http://a:1"',
      'url: "http://a:1", dns: _a._tcp.b',
      'etcd: a, dns: _a._tcp.b',
    ])
      assert.deepEqual(faultsOf(using(wrong), env), ['5 upstreams.image-api'], wrong);
    const [fault] = parseConfig(using('dns: images'), env).faults;
    assert.match(fault!.message, /^is not an SRV name like _images\._tcp\.shop\.internal/);
    assert.deepEqual(faultsOf(using('etcd: image-api')), ['5 upstreams.image-api.etcd']);
    assert.deepEqual(faultsOf(using('etcd: image-api'), { ETCD_URLS: 'a:1' }), [
      '5 upstreams.image-api.etcd',
    ]);
  });

  it('takes flags from etcd when a variable names its members, and from the file else', () => {
    const text = GOOD.replace('{ file: flags.json }', '{ file: flags.json, etcd: "${ETCD_URLS:-}" }');
    const etcd = (env: Record<string, string>): readonly string[] | undefined =>
      parseConfig(text, env).config?.flags.etcd;
    assert.deepEqual(etcd({}), []);
    assert.deepEqual(etcd({ ETCD_URLS: 'http://10.0.0.1:2379, http://10.0.0.2:2379/' }), [
      'http://10.0.0.1:2379',
      'http://10.0.0.2:2379',
    ]);
    assert.deepEqual(faultsOf(text, { ETCD_URLS: '10.0.0.1:2379' }), ['2 flags.etcd[0]']);
    const { faults } = parseConfig(text, { ETCD_URLS: 'http://user:secret@10.0.0.1:2379' });
    assert.match(JSON.stringify(faults), /no credentials/);
    assert.doesNotMatch(JSON.stringify(faults), /secret/);
    assert.deepEqual(faultsOf(GOOD.replace('{ file: flags.json }', '{ etcd: [] }')), ['2 flags']);
    assert.deepEqual(faultsOf(GOOD.replace('file: flags.json', 'file: a, prefix: strangler')), [
      '2 flags.prefix',
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

  it('takes a number of workers from 1 to 64', () => {
    const { config, warnings } = parseConfig(`workers: 4\n${GOOD}`, {});
    assert.deepEqual([config?.workers, warnings.map(({ path }) => path)], [4, ['features.images.key[0]']]);
    assert.equal(parseConfig(GOOD, {}).config?.workers, 1);
    for (const wrong of [0, 65, 1.5]) assert.deepEqual(faultsOf(`workers: ${wrong}\n${GOOD}`), ['1 workers']);
  });

  it('reads how a feature is shadowed, and refuses what could cost too much or write twice', () => {
    const shadowed = (shadow: string): string =>
      GOOD.replace('flag: images', `flag: images\n    shadow: ${shadow}`);
    const { config, warnings } = parseConfig(shadowed('{ sample: 10%, compare: image }'), {});
    const shadow = config?.features['images']?.shadow;
    assert.deepEqual(
      [shadow?.sample, shadow?.compare, shadow?.maxBody, shadow?.inFlight],
      [0.1, 'image', 2 ** 20, 16],
    );
    assert.ok(shadow?.headers.includes('content-type'));
    assert.deepEqual(
      warnings.filter(({ path }) => path.includes('shadow')),
      [],
    );
    assert.deepEqual(faultsOf(shadowed('{ maxBody: 100MiB }')), ['11 features.images.shadow.maxBody']);
    assert.deepEqual(faultsOf(shadowed('{ sample: 110% }')), ['11 features.images.shadow.sample']);
    assert.deepEqual(faultsOf(GOOD.replace('effect: write,', 'effect: write, shadowWrites: isolated,')), [
      '14 features.images.routes[1].shadowWrites',
    ]);
  });

  it('refuses a gate without a limit, or with one of another metric', () => {
    const faults = (gate: string): readonly string[] =>
      faultsOf(GOOD.replace('flag: images', `flag: images\n    shadow: {}\n    gates: [{ ${gate} }]`));
    for (const gate of [
      'metric: errorRate',
      'metric: parity, max: 1',
      'metric: p95, maxDelta: 1',
      'metric: errorRate, maxDelta: 0.1, maxRatio: 2',
    ])
      assert.deepEqual(faults(gate), ['12 features.images.gates[0]'], gate);
    for (const gate of [
      'metric: p95, maxRatio: 1.2, max: 300ms',
      'metric: errorRate, max: 0.01',
      'metric: parity, min: 0.99',
    ])
      assert.deepEqual(faults(gate), [], gate);
  });

  it('warns of a parity gate that nothing feeds', () => {
    const text = GOOD.replace('flag: images', 'flag: images\n    gates: [{ metric: parity, min: 0.99 }]');
    const warned = parseConfig(text, {}).warnings.map(({ line, message }) => `${line} ${message}`);
    assert.ok(
      warned.some((line) => line.startsWith('11 a parity gate without shadow')),
      warned.join('; '),
    );
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
