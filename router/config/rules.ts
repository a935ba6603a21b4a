import { parseTemplate, shapeOf } from '../request/template.ts';
import type { Fault } from './fault.ts';
import { pathText, type Locate } from './locate.ts';
import type { Config, FeatureConfig } from './schema.ts';

interface Findings {
  readonly faults: Fault[];
  readonly warnings: Fault[];
}

/** What no schema can say: names that must exist, routes and flags that must not meet, settings that contradict each other. */
export function crossCheck(config: Config, locate: Locate): Findings {
  const findings: Findings = { faults: [], warnings: [] };
  const fault = (path: readonly PropertyKey[], message: string) =>
    void findings.faults.push({ line: locate(path), path: pathText(path), message });
  const known = Object.keys(config.upstreams);
  const suggest = `one of ${known.join(', ')}`;
  if (!known.includes(config.default))
    fault(['default'], `there is no upstream "${config.default}"; name ${suggest}`);

  const flags = new Map<string, readonly PropertyKey[]>();
  const shapes = new Map<string, readonly PropertyKey[]>();
  for (const [name, feature] of Object.entries(config.features)) {
    const at = ['features', name];
    if (/\p{Cc}/u.test(name)) fault(at, 'a name must not hold control characters');
    if (!known.includes(feature.upstream))
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
    warnUnused(['features', name], feature, ['shadow', 'ramp'], findings, locate);
    if (feature.gates.length > 0) warn(findings, locate, [...at, 'gates'], NOT_YET);
    if (feature.data !== 'shared')
      fault([...at, 'data'], `"${feature.data}" is not supported yet: only "shared" is`);
  }
  return findings;
}

/** Keys that are read and checked, so that a config may name them already, but that nothing acts on so far (RELEASE_NOTES.md). */
const NOT_YET = 'is not acted upon yet';

function warnUnused<T extends object>(
  at: readonly string[],
  value: T,
  keys: readonly (keyof T & string)[],
  findings: Findings,
  locate: Locate,
): void {
  for (const key of keys) if (value[key] !== undefined) warn(findings, locate, [...at, key], NOT_YET);
}

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

function checkGates(
  name: string,
  feature: FeatureConfig,
  fault: (path: readonly PropertyKey[], message: string) => void,
): void {
  feature.gates.forEach((gate, index) => {
    const limits = [gate.min, gate.max, gate.maxDelta, gate.maxRatio].filter((limit) => limit !== undefined);
    if (limits.length === 0)
      fault(
        ['features', name, 'gates', index],
        `a ${gate.metric} gate needs a limit: min, max, maxDelta or maxRatio`,
      );
  });
  const steps = feature.ramp?.steps ?? [];
  if (steps.some((step, index) => index > 0 && step <= steps[index - 1]!))
    fault(['features', name, 'ramp', 'steps'], 'must rise from step to step');
}
