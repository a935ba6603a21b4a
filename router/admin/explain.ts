import type { FeatureConfig, RouteConfig } from '../config/schema.ts';
import { Problem } from '../errors.ts';
import type { Snapshot } from '../flags/snapshot.ts';
import { canonicalTarget } from '../http/target.ts';
import { matchedMethod } from '../pipeline.ts';
import { decide, decideFor } from '../request/decide.ts';
import { subjectOf } from '../request/subject.ts';
import { parseTemplate, type Template } from '../request/template.ts';
import type { AdminParts } from './api.ts';
import type { ExplainJson } from './protocol.ts';

/**
 * What would be decided for a request, by the same code that decides. `key` stands for whatever the feature's key sources would find;
 * further headers, as `header=name:value`, are for targeting rules. With `feature` in the place of method and path: what an application is told that asks
 * for its flag, the headers being the rest of its context.
 */
export function explain(
  snapshot: Snapshot,
  query: Readonly<Record<string, unknown>>,
  { overrideKey, now, metrics }: Pick<AdminParts, 'overrideKey' | 'now' | 'metrics'>,
): ExplainJson {
  const one = (name: string): string | null => {
    const value = query[name];
    if (value === undefined) return null;
    if (typeof value !== 'string') throw new Problem('BAD_REQUEST', `${name} is given more than once`);
    return value;
  };
  const headers = new Map([query['header'] ?? []].flat().map((line) => splitHeader(String(line))));
  const name = one('feature');
  const target = one('path');
  if (name !== null && target === null) return explainFeature(snapshot, name, one('key'), headers);
  if (name !== null) throw new Problem('BAD_REQUEST', 'give either a feature or a method and a path');
  const method = (one('method') ?? 'GET').toUpperCase();
  if (!target?.startsWith('/')) throw new Problem('BAD_REQUEST', 'path is missing, or does not begin with /');
  const header = (name: string): string | undefined => headers.get(name);
  const canonical = canonicalTarget(target);
  const base = {
    route: null,
    stage: null,
    percent: null,
    fallback: null,
    readSide: null,
    writeHome: null,
    version: snapshot.version,
  };
  if (canonical === null)
    return { ...base, feature: null, upstream: 'none', reason: 'REFUSED', path: target };
  const { path, readings } = canonical;
  if (readings?.some((reading) => snapshot.matcher.touches(reading)))
    return { ...base, feature: null, upstream: 'none', reason: 'AMBIGUOUS_PATH', path };
  const matched = readings ? null : snapshot.matcher.match(matchedMethod({ method, header }), path);
  if (!matched)
    return { ...base, feature: null, upstream: snapshot.config.default, reason: 'NO_ROUTE', path };
  const key = one('key');
  const asked = { method, path, host: one('host') ?? '', header };
  const monolith = snapshot.config.default;
  const side = decide(matched.feature, monolith, asked, overrideKey, now, () => key || null);
  const { config } = matched.feature;
  const { effect, match } = matched.route;
  const isMoving = config.data === 'moving';
  const writes = isMoving ? metrics.writes.of(matched.feature.name, monolith, config.upstream) : null;
  const writeHome = writes?.homes.of(subjectOf(named(config, matched.route))(path)) ?? null;
  const isHome = writeHome !== null && effect === 'write';
  return {
    feature: side.feature,
    upstream: isHome ? writeHome : side.upstream,
    reason: isHome ? 'HOME' : side.reason,
    stage: side.stage,
    percent: side.percent,
    version: side.version,
    route: match,
    fallback:
      side.upstream === monolith || effect === 'write' || side.stage === 'retired' || config.data === 'own'
        ? null
        : monolith,
    readSide: isMoving ? side.upstream : null,
    writeHome,
    path,
  };
}

function explainFeature(
  snapshot: Snapshot,
  name: string,
  key: string | null,
  context: ReadonlyMap<string, string>,
): ExplainJson {
  const feature = snapshot.features.get(name);
  if (!feature) throw new Problem('NOT_FOUND', `there is no feature "${name}"`);
  const given = { ...Object.fromEntries(context), ...(key === null ? {} : { targetingKey: key }) };
  return {
    ...decideFor(feature, snapshot.config.default, given),
    route: null,
    fallback: null,
    readSide: null,
    writeHome: null,
    path: '',
  };
}

/** A read says no entity; what its path names is what the writes call so. */
function named(
  { routes }: FeatureConfig,
  { match, entity }: RouteConfig,
): Pick<RouteConfig, 'match' | 'entity'> {
  const entities = routes.map((route) => route.entity);
  const { names } = parseTemplate(match) as Template;
  return { match, entity: entity ?? names.find((name) => entities.includes(name)) };
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw new Problem('BAD_REQUEST', `header "${line}" is not name:value`);
  return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
}
