import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { CANARY, startRouter, type RouterProcess } from '../support/router.ts';

const root = resolve(import.meta.dirname, '../..');
const YAML = `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: http://127.0.0.1:1 }, image-api: { url: http://127.0.0.1:2 } }
default: monolith
features:
  images:
    upstream: image-api
    flag: images
    key: [{ header: x-user-id }]
    routes: [{ match: "GET /images/{id}", effect: read }]
    gates: [{ metric: errorRate, max: 0.01, samples: 500 }]
    ramp: { steps: [50, 100] }
`;

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string };
}

describe('the dashboard and the alert rules', () => {
  let router: RouterProcess;
  let metrics: string;
  before(async () => {
    router = await startRouter({ yaml: YAML, flags: CANARY(50) });
    for (const key of ['a', 'b', 'c', 'd'])
      await (await fetch(`${router.url}/images/1`, { headers: { 'x-user-id': key } })).arrayBuffer();
    metrics = await (await fetch(`${router.adminUrl}/metrics`)).text();
  });
  after(() => router.stop());

  const rules = (): Rule[] => {
    const file = parse(readFileSync(join(root, 'deploy/prometheus/strangler.rules.yml'), 'utf8')) as {
      groups: { rules: Rule[] }[];
    };
    return file.groups.flatMap((group) => group.rules);
  };
  const dashboard = readFileSync(join(root, 'deploy/grafana/strangler.json'), 'utf8');
  const panels = (JSON.parse(dashboard) as { panels: { targets: { expr: string }[] }[] }).panels;

  /** Names of metrics in an expression, and the labels they are asked by. */
  const namesIn = (text: string): string[] => text.match(/\b(?:strangler|process|nodejs)_[a-z0-9_]+/g) ?? [];

  it('name only metrics that a running router shows', () => {
    const shown = new Set(
      [...metrics.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name, type]) =>
        type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name!],
      ),
    );
    const expressions = [
      ...rules().map(({ expr }) => expr),
      ...panels.flatMap((panel) => panel.targets.map(({ expr }) => expr)),
    ];
    assert.ok(expressions.length > 15);
    const used = expressions.flatMap((expression) => {
      const names = namesIn(expression);
      assert.ok(names.length > 0, expression);
      return names;
    });
    used.push(...namesIn(/label_values\([^)]*\)/.exec(dashboard)![0]));
    assert.deepEqual(
      [...new Set(used)].filter((name) => !shown.has(name)),
      [],
    );
  });

  it('ask by labels that those metrics have', () => {
    const all = [
      ...rules().map(({ expr }) => expr),
      ...panels.flatMap((panel) => panel.targets.map(({ expr }) => expr)),
    ];
    for (const expression of all)
      for (const [, name, selectors] of expression.matchAll(/(strangler_[a-z_]+)\{([^}]*)\}/g))
        for (const [, label] of selectors!.matchAll(/([a-z_]+)\s*(?:=~|!=|=)/g))
          // What a counter's labels are is known when it has counted.
          if (new RegExp(`^${name}\\{`, 'm').test(metrics))
            assert.match(metrics, new RegExp(`^${name}\\{[^}]*${label}="`, 'm'), expression);
  });

  it('show the gates, and where the ramp stands', () => {
    assert.match(metrics, /^strangler_gate\{feature="images",metric="errorRate"\} 0$/m);
    assert.match(metrics, /^strangler_ramp_state\{feature="images",state="paused"\} 1$/m);
    assert.match(metrics, /^strangler_ramp_step\{feature="images"\} 0$/m);
  });

  it('say in each alert what is the matter', () => {
    assert.equal(new Set(rules().map(({ alert }) => alert)).size, rules().length);
    for (const { alert, annotations } of rules()) assert.ok(annotations.summary.length > 10, alert);
  });
});
