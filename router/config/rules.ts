import { parseTemplate, shapeOf } from '../request/template.ts';
import { etcdUrlsOf } from './etcd-endpoints.ts';
import type { Fault } from './fault.ts';
import { checkMoving } from './moving-rules.ts';
import { pathText, type Locate } from './locate.ts';
import type { Config, FeatureConfig } from './schema.ts';

interface Findings {
  readonly faults: Fault[];
  readonly warnings: Fault[];
}

/** What no schema can say: names that must exist, routes and flags that must not meet, settings that contradict each other. */
export function crossCheck(
  config: Config,
  locate: Locate,
  env: Readonly<Record<string, string | undefined>>,
): Findings {
  const findings: Findings = { faults: [], warnings: [] };
  const fault = (path: readonly PropertyKey[], message: string) =>
    void findings.faults.push({ line: locate(path), path: pathText(path), message });
  const known = Object.keys(config.upstreams);
  const suggest = `one of ${known.join(', ')}`;
  if (!known.includes(config.default))
    fault(['default'], `there is no upstream "${config.default}"; name ${suggest}`);
  checkRegistry(config, env, fault);

  const flags = new Map<string, readonly PropertyKey[]>();
  const shapes = new Map<string, readonly PropertyKey[]>();
  for (const [name, feature] of Object.entries(config.features)) {
    const at = ['features', name];
    if (/\p{Cc}/u.test(name)) fault(at, 'a name must not hold control characters');
    // The upstream of a seam is no more than the variant's name: the router sends nothing there.
    if (feature.kind === 'http' && !known.includes(feature.upstream))
      fault([...at, 'upstream'], `there is no upstream "${feature.upstream}"; name ${suggest}`);
    if (feature.upstream === config.default)
      fault([...at, 'upstream'], 'is the default upstream, so there would be nothing to divert');
    claim(flags, feature.flag, [...at, 'flag'], 'the flag', fault, locate);
    feature.routes.forEach((route, index) => {
      const path = [...at, 'routes', index, 'match'];
      const template = parseTemplate(route.match);
      if (typeof template === 'string') return fault(path, `"${route.match}" ${template}`);
      claim(shapes, shapeOf(template), path, 'the route', fault, locate);
      if (route.entity && !template.names.includes(route.entity))
        fault([...path.slice(0, -1), 'entity'], `"${route.match}" has no segment {${route.entity}}`);
      if (route.shadowWrites && feature.data !== 'own')
        fault([...path.slice(0, -1), 'shadowWrites'], NO_SHADOW_WRITES[feature.data]);
      if (route.effect === 'read' && !['GET', 'HEAD', 'OPTIONS'].includes(template.method)) {
        warn(
          findings,
          locate,
          [...path.slice(0, -1), 'effect'],
          `${template.method} is declared a read, but only GET, HEAD and OPTIONS are ever sent a second time`,
        );
      }
    });
    checkKeys(name, feature, config, findings, locate);
    checkGates(name, feature, fault);
    const parity = feature.gates.findIndex(({ metric }) => metric === 'parity');
    if (parity !== -1 && !feature.shadow)
      warn(
        findings,
        locate,
        [...at, 'gates', parity],
        'a parity gate without shadow: compares nothing by itself; only observations sent to the admin API feed it',
      );
    if (feature.data === 'moving') checkMoving(name, feature, fault);
  }
  return findings;
}

/** Upstreams that are listed in etcd need one. */
function checkRegistry(
  config: Config,
  env: Readonly<Record<string, string | undefined>>,
  fault: (path: readonly PropertyKey[], message: string) => void,
): void {
  const urls = etcdUrlsOf(config, env);
  const wrong = urls.find((url) => !/^https?:$/.test(URL.parse(url)?.protocol ?? ''));
  for (const [name, { etcd }] of Object.entries(config.upstreams)) {
    if (etcd === null) continue;
    const at = ['upstreams', name, 'etcd'];
    if (urls.length === 0)
      fault(at, 'where is etcd? Set ETCD_URLS, or give flags: { etcd: [http://127.0.0.1:2379] }');
    else if (wrong) fault(at, `ETCD_URLS: ${wrong} is not a URL like http://127.0.0.1:2379`);
  }
}

/** Why a write can't be repeated at the shadow. */
const NO_SHADOW_WRITES = {
  shared:
    'the data is shared, so a repeated write would be a second write; it needs a service with data of its own',
  moving: 'the data moves, so the side that is not the home refuses the write; take it away until it is own',
};

function warn(findings: Findings, locate: Locate, path: readonly PropertyKey[], message: string): void {
  findings.warnings.push({ line: locate(path), path: pathText(path), message });
}

/** Two owners of one thing: the second is the fault, and it names the first one's line. */
function claim(
  owners: Map<string, readonly PropertyKey[]>,
  thing: string,
  path: readonly PropertyKey[],
  what: string,
  fault: (path: readonly PropertyKey[], message: string) => void,
  locate: Locate,
): void {
  const first = owners.get(thing);
  if (first)
    fault(
      path,
      `${what} "${thing}" (line ${locate(path)}) is already taken by ${pathText(first)} (line ${locate(first)})`,
    );
  else owners.set(thing, path);
}

function checkKeys(
  name: string,
  feature: FeatureConfig,
  config: Config,
  findings: Findings,
  locate: Locate,
): void {
  feature.key.forEach((source, index) => {
    if (!('header' in source) || config.trust.proxies.length > 0) return;
    const path = ['features', name, 'key', index];
    warn(
      findings,
      locate,
      path,
      `clients choose their side by sending "${source.header}"; list the proxies that set it under trust.proxies`,
    );
  });
  const issuing = feature.key.findIndex((source) => 'issue' in source);
  if (issuing !== -1 && issuing !== feature.key.length - 1) {
    findings.faults.push({
      line: locate(['features', name, 'key', issuing]),
      path: pathText(['features', name, 'key', issuing]),
      message: 'an issued cookie is always there, so what stands after it is never used; put it last',
    });
  }
}

/** Which limits a gate may have. */
const LIMITS: Readonly<Record<FeatureConfig['gates'][number]['metric'], readonly string[]>> = {
  parity: ['min'],
  errorRate: ['maxDelta', 'max'],
  p95: ['maxRatio', 'max'],
};

function checkGates(
  name: string,
  feature: FeatureConfig,
  fault: (path: readonly PropertyKey[], message: string) => void,
): void {
  feature.gates.forEach((gate, index) => {
    const limits = [gate.min, gate.max, gate.maxDelta, gate.maxRatio].filter((limit) => limit !== undefined);
    const fitting = LIMITS[gate.metric];
    const foreign = (['min', 'max', 'maxDelta', 'maxRatio'] as const).filter(
      (limit) => gate[limit] !== undefined && !fitting.includes(limit),
    );
    if (limits.length === 0 || foreign.length > 0)
      fault(
        ['features', name, 'gates', index],
        `a ${gate.metric} gate needs a limit: ${fitting.join(' or ')}${foreign.length > 0 ? `; ${foreign.join(' and ')} says nothing of it` : ''}`,
      );
  });
  const steps = feature.ramp?.steps ?? [];
  if (steps.some((step, index) => index > 0 && step <= steps[index - 1]!))
    fault(['features', name, 'ramp', 'steps'], 'must rise from step to step');
}
