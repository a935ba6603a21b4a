import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parse } from 'yaml';
import { stages } from './images.ts';
import { ENTRIES, ROOT, knowsVariable, read } from './source.ts';

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly target: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly networks: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: object;
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}

describe('compose.yaml', () => {
  const text = read('compose.yaml');
  const file = parse(text, { merge: true }) as {
    services: Record<string, Service>;
    networks: Record<string, { internal?: boolean }>;
    volumes: Record<string, unknown>;
  };
  const services = Object.entries(file.services);
  const ours = services.filter(([, { build }]) => build !== undefined);
  const all = stages();

  it('has no fault that the linter knows', () => {
    const bin = join(ROOT, 'node_modules/dclint/bin/dclint.cjs');
    const out = execFileSync(process.execPath, [bin, '-f', 'json', 'compose.yaml'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const found = JSON.parse(out) as { errorCount: number; messages: object[] }[];
    assert.equal(found.length, 1);
    assert.equal(found[0]!.errorCount, 0, out);
  });

  it('has all processes, each from its own target', () => {
    assert.deepEqual(ours.map(([name]) => name).sort(), Object.keys(ENTRIES).sort());
    for (const [name, { build }] of ours) {
      assert.equal(build!.target, name);
      assert.ok(all.has(build!.target), name);
    }
  });

  it('tells each process only what it reads', () => {
    for (const [name, { environment = {} }] of ours)
      for (const variable of Object.keys(environment))
        assert.ok(knowsVariable(name, variable), `${name}: ${variable}`);
  });

  it('publishes the shop and the console, on loopback only', () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`));
    assert.deepEqual(published, [
      'router 127.0.0.1:${ROUTER_PORT:-8080}:8080',
      'router 127.0.0.1:${ADMIN_PORT:-8081}:8081',
    ]);
    const inner = Object.entries(file.networks).filter(([name]) => name !== 'edge');
    for (const [name, { internal }] of inner) assert.equal(internal, true, name);
    assert.deepEqual(
      services.filter(([, { networks }]) => networks.includes('edge')).map(([name]) => name),
      ['router'],
    );
  });

  it('names every host where it can be reached, at a port that is open there', () => {
    const open: Record<string, readonly number[]> = {
      postgres: [5432],
      rabbitmq: [5672],
      mailpit: [1025],
      etcd1: [2379],
      etcd2: [2379],
      etcd3: [2379],
    };
    for (const [name, { environment = {}, networks }] of ours)
      for (const [, host = '', port] of Object.values(environment)
        .join()
        .matchAll(/:\/\/(?:[^@,\s/]*@)?([a-z0-9-]+):(\d+)/g)) {
        const other = file.services[host];
        assert.ok(other, `${name} names ${host}`);
        assert.ok(
          other.networks.some((network) => networks.includes(network)),
          `${name} can not reach ${host}`,
        );
        assert.ok(
          (open[host] ?? all.get(host)!.ports).includes(Number(port)),
          `${name} names ${host}:${port}`,
        );
      }
  });

  it('holds no secret, and gives every process as little as it needs', () => {
    for (const [, name = '', value = ''] of text.matchAll(
      /(\w*(?:PASSWORD|PASS|TOKEN|SECRET|KEY)\w*): (?:&\S+ )?(\S.*)/g,
    ))
      assert.match(value, /^(\$\{\w+:\?|\*)/, name);
    for (const [, credentials = ''] of text.matchAll(/:\/\/([^\s@/]+)@/g))
      assert.match(credentials, /^\w+:\$\{/);
    for (const [name, { read_only, cap_drop }] of ours)
      assert.deepEqual([read_only, cap_drop], [true, ['ALL']], name);
    for (const [name, { image, healthcheck }] of services.filter(([, { build }]) => build === undefined)) {
      assert.match(image!, /:v?\d+\.\d+/, `${name} has a version`);
      assert.ok(healthcheck, name);
    }
  });

  it('keeps data in volumes that are there, where the images let them be written', () => {
    for (const [name, { volumes = [] }] of services)
      for (const [volume = '', path] of volumes.map((each) => each.split(':'))) {
        assert.ok(volume.startsWith('./') || volume in file.volumes, `${name}: ${volume}`);
        if (file.services[name]!.build)
          assert.ok(['/data', '/pictures', '/router', '/cache'].includes(path!), `${name}: ${path}`);
      }
  });

  it('has three members of etcd that know each other, and everybody knows them', () => {
    const members = ['etcd1', 'etcd2', 'etcd3'];
    for (const [, { environment }] of ours)
      if (environment?.['ETCD_URLS'])
        assert.deepEqual(
          environment['ETCD_URLS'].split(','),
          members.map((name) => `http://${name}:2379`),
        );
    for (const name of members) assert.ok(text.includes(`--initial-advertise-peer-urls=http://${name}:2380`));
  });
});
