import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { parseConfig } from '../../router/config/parse.ts';
import { readFlags } from '../../router/flags/read.ts';
import { stages } from './images.ts';
import { ENTRIES, ROOT, knowsVariable, read } from './source.ts';

interface Pod {
  readonly securityContext: Record<string, unknown>;
  readonly terminationGracePeriodSeconds?: number;
  readonly containers: readonly {
    readonly name: string;
    readonly image: string;
    readonly args?: readonly string[];
    readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
    readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[];
    readonly resources: object;
    readonly securityContext: Record<string, unknown>;
    readonly readinessProbe?: { readonly httpGet: { readonly port: string; readonly path: string } };
    readonly livenessProbe?: object;
  }[];
}

interface Thing {
  readonly file: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Record<string, string>;
  readonly spec: Record<string, unknown> & { readonly template: { readonly spec: Pod } };
}

const FOLDER = 'deploy/kubernetes';

describe('the Kubernetes objects', () => {
  const things = readdirSync(join(ROOT, FOLDER)).flatMap((file) =>
    parseAllDocuments(read(`${FOLDER}/${file}`)).map((document) => ({
      file,
      ...(document.toJS() as Omit<Thing, 'file'>),
    })),
  );
  const of = (...kinds: string[]): Thing[] => things.filter(({ kind }) => kinds.includes(kind));
  const named = (kind: string, name: string): Thing =>
    things.find((thing) => thing.kind === kind && thing.metadata.name === name)!;
  const workloads = of('Deployment', 'Job');
  const all = stages();

  it('are what the API takes, by its own schemas', async () => {
    assert.ok(things.length > 15);
    for (const { file, ...thing } of things) {
      const [group, version = ''] = thing.apiVersion.includes('/')
        ? thing.apiVersion.split('/')
        : ['', thing.apiVersion];
      const module = ['kubernetes-models', group, version, thing.kind].filter(Boolean).join('/');
      const { [thing.kind]: Model } = (await import(module)) as Record<
        string,
        new (data: object) => { validate(): void }
      >;
      assert.doesNotThrow(
        () => new Model!(thing).validate(),
        `${file}: ${thing.kind} ${thing.metadata.name}`,
      );
    }
  });

  it('run all images, and none that is not built', () => {
    const images = workloads.flatMap(({ spec }) => spec.template.spec.containers.map(({ image }) => image));
    assert.deepEqual(
      images.map((image) => /^strangler-kit\/([a-z-]+):/.exec(image)?.[1]).sort(),
      Object.keys(ENTRIES).sort(),
    );
  });

  it('tell each process only what it reads, and no secret', () => {
    for (const { metadata, spec } of workloads)
      for (const { name, value, valueFrom } of spec.template.spec.containers[0]!.env) {
        assert.ok(name === 'POD_IP' || knowsVariable(metadata.name, name), `${metadata.name}: ${name}`);
        if (/PASSWORD|TOKEN|KEY|DATABASE|AMQP|SMTP/.test(name))
          assert.ok(valueFrom && 'secretKeyRef' in valueFrom, name);
        assert.doesNotMatch(value ?? '', /:\/\/[^/]*@/);
      }
    assert.deepEqual(of('Secret'), []);
  });

  it('run as nobody special on a file system that nobody writes to', () => {
    for (const { metadata, spec } of workloads) {
      const { securityContext, containers } = spec.template.spec;
      assert.equal(securityContext['runAsNonRoot'], true, metadata.name);
      assert.deepEqual(containers[0]!.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      assert.ok('limits' in containers[0]!.resources && 'requests' in containers[0]!.resources);
    }
  });

  it('probe and reach the ports that the images have', () => {
    for (const { metadata, spec } of of('Deployment')) {
      const { containers, terminationGracePeriodSeconds } = spec.template.spec;
      const { ports = [], readinessProbe, livenessProbe } = containers[0]!;
      assert.deepEqual(
        ports.map(({ containerPort }) => containerPort),
        all.get(metadata.name)!.ports,
        metadata.name,
      );
      assert.ok(ports.some(({ name }) => name === readinessProbe!.httpGet.port) && livenessProbe);
      assert.ok(terminationGracePeriodSeconds! > 40, 'longer than the longest drain, 5 s + 30 s');
    }
    for (const { metadata, spec } of of('Service')) {
      const { selector, ports } = spec as unknown as {
        selector: Record<string, string>;
        ports: { targetPort: string }[];
      };
      const pod = named('Deployment', selector['app.kubernetes.io/name']!).spec.template.spec;
      for (const { targetPort } of ports)
        assert.ok(
          pod.containers[0]!.ports!.some(({ name }) => name === targetPort),
          metadata.name,
        );
    }
    for (const { metadata, spec } of of('Deployment'))
      for (const { value = '' } of spec.template.spec.containers[0]!.env)
        for (const [, host = '', port] of value.matchAll(/^http:\/\/([a-z-]+):(\d+)/g)) {
          const { ports } = named('Service', host).spec as unknown as { ports: { port: number }[] };
          assert.ok(
            ports.some((each) => each.port === Number(port)),
            `${metadata.name}: ${value}`,
          );
        }
  });

  it('give every process a disruption budget, and scale the image-api alone', () => {
    const names = (kind: string): string[] =>
      of(kind)
        .map(({ metadata }) => metadata.name)
        .sort();
    assert.deepEqual(names('PodDisruptionBudget'), names('Deployment'));
    assert.deepEqual(names('HorizontalPodAutoscaler'), ['image-api']);
    assert.equal(named('Deployment', 'image-api').spec['replicas'], undefined);
  });

  it('let nobody in but who is named', () => {
    const [nobody] = of('NetworkPolicy');
    assert.equal(nobody!.spec['ingress'], undefined);
    assert.deepEqual(
      of('NetworkPolicy').map(({ metadata }) => metadata.name),
      ['nobody', 'router', 'monolith', 'image-api'],
    );
  });

  it('hold a config that the router takes', () => {
    const { data } = named('ConfigMap', 'router');
    const { config, faults } = parseConfig(data!['strangler.yaml']!, {
      ETCD_URLS: named('ConfigMap', 'registry').data!['urls']!,
      IMAGE_API_SERVICE: 'image-api',
      MONOLITH_URL: 'http://monolith:3000',
      IMAGE_API_URLS: 'http://image-api:3001',
    });
    assert.deepEqual(faults, []);
    assert.deepEqual(readFlags(data!['flags.json']!, config!).faults, []);
    assert.deepEqual(
      [config!.listen, config!.admin.listen].map(({ host }) => host),
      ['0.0.0.0', '0.0.0.0'],
    );
    assert.deepEqual(
      config!.features,
      parseConfig(read('strangler.yaml'), {}).config!.features,
      'the same features as in strangler.yaml',
    );
  });
});
