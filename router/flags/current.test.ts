import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCurrent, StartFaults } from './current.ts';
import { plainSplit } from './targeting.ts';

const YAML = `listen: 127.0.0.1:8080
flags: { file: live/flags.json }
upstreams: { monolith: { url: http://127.0.0.1:1 }, image-api: { url: http://127.0.0.1:2 } }
default: monolith
features:
  images: { upstream: image-api, flag: images, key: [{ header: x }], routes: [{ match: "GET /images/{id}", effect: read }] }
`;
const flags = (percent: number): string =>
  JSON.stringify({
    flags: {
      images: {
        state: 'ENABLED',
        variants: { monolith: 'monolith', 'image-api': 'image-api' },
        defaultVariant: 'monolith',
        targeting: plainSplit('image-api', 'monolith', percent),
        metadata: { stage: 'canary' },
      },
    },
  });

describe('what is in force', () => {
  let dir: string;
  let yaml: string;
  /** Puts flags where a ConfigMap would: in a new folder, which a symlink is then swapped to. */
  const publish = (name: string, text: string): void => {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, 'flags.json'), text);
    symlinkSync(name, join(dir, 'next'));
    renameSync(join(dir, 'next'), join(dir, 'live'));
  };
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'current-'));
    yaml = join(dir, 'strangler.yaml');
    writeFileSync(yaml, YAML);
    publish('first', flags(1));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const load = () => loadCurrent(yaml, dir, {});

  it('follows a swapped symlink', () => {
    const current = load();
    publish('second', flags(2));
    current.refresh();
    assert.equal(current.snapshot().features.get('images')!.flag.percent, 2);
  });

  it('keeps the last good flags over a broken, emptied or deleted file, and says why', () => {
    const current = load();
    const before = current.snapshot();
    for (const [name, text, why] of [
      ['broken', '{"flags":', /not JSON/],
      ['emptied', '', /empty/],
      ['lying', flags(1).replace('canary', 'live'), /disagrees/],
    ] as const) {
      publish(name, text);
      current.refresh();
      assert.equal(current.snapshot(), before);
      assert.equal(current.status().flags.state, 'rejected');
      assert.match(current.status().flags.faults[0]!.message, why);
    }
    rmSync(join(dir, 'live'));
    current.refresh();
    assert.match(current.status().flags.faults[0]!.message, /no such file/);
    publish('good', flags(9));
    current.refresh();
    assert.equal(current.status().flags.state, 'applied');
    assert.equal(current.snapshot().features.get('images')!.flag.percent, 9);
  });

  it('applies flags while the config is broken, and a config while the flags are', () => {
    const current = load();
    writeFileSync(yaml, 'nonsense: true\n');
    publish('second', flags(2));
    current.refresh();
    assert.equal(current.status().config.state, 'rejected');
    assert.equal(current.snapshot().features.get('images')!.flag.percent, 2);
    publish('third', '');
    writeFileSync(yaml, YAML.replace('GET /images/{id}', 'GET /pictures/{id}'));
    current.refresh();
    assert.equal(current.status().config.state, 'applied');
    assert.ok(current.snapshot().matcher.match('GET', '/pictures/1'));
    assert.equal(current.snapshot().features.get('images')!.flag.percent, 2);
  });

  it('rejects a config that the flags in force do not fit, and a changed listen', () => {
    const current = load();
    writeFileSync(yaml, YAML.replace('flag: images', 'flag: pictures'));
    current.refresh();
    assert.match(current.status().config.faults[0]!.message, /does not fit the flags in force/);
    writeFileSync(yaml, YAML.replace('8080', '9090'));
    current.refresh();
    assert.equal(current.status().config.faults[0]!.path, 'listen');
    rmSync(yaml);
    current.refresh();
    assert.match(current.status().config.faults[0]!.message, /no such file/);
    writeFileSync(yaml, YAML);
    current.refresh();
    assert.deepEqual(current.status().config.faults, []);
  });

  it('does not start on anything wrong', () => {
    writeFileSync(yaml, 'nonsense: true\n');
    assert.throws(load, StartFaults);
    writeFileSync(yaml, YAML);
    publish('bad', '');
    assert.throws(load, StartFaults);
  });

  it('has the same version for the same files', () =>
    assert.equal(load().snapshot().version, load().snapshot().version));
});
