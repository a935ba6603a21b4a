import { Problem } from '../errors.ts';
import type { Snapshot } from '../flags/snapshot.ts';
import { canonicalTarget } from '../http/target.ts';
import { matchedMethod } from '../pipeline.ts';
import { decide } from '../request/decide.ts';
import type { ExplainJson } from './protocol.ts';

/**
 * What would be decided for a request, by the same code that decides. `key` stands for whatever the feature's key sources would find;
 * further headers, as `header=name:value`, are for targeting rules.
 */
export function explain(
  snapshot: Snapshot,
  query: Readonly<Record<string, unknown>>,
  overrideKey: string | null,
  now: () => number,
): ExplainJson {
  const one = (name: string): string | null => {
    const value = query[name];
    if (value === undefined) return null;
    if (typeof value !== 'string') throw new Problem('BAD_REQUEST', `${name} is given more than once`);
    return value;
  };
  const method = (one('method') ?? 'GET').toUpperCase();
  const target = one('path');
  if (!target?.startsWith('/')) throw new Problem('BAD_REQUEST', 'path is missing, or does not begin with /');
  const headers = new Map([query['header'] ?? []].flat().map((line) => splitHeader(String(line))));
  const header = (name: string): string | undefined => headers.get(name);
  const canonical = canonicalTarget(target);
  const base = { route: null, stage: null, percent: null, fallback: null, version: snapshot.version };
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
  const { feature, upstream, reason, stage, percent, version } = decide(
    matched.feature,
    snapshot.config.default,
    asked,
    overrideKey,
    now,
    () => key || null,
  );
  return {
    feature,
    upstream,
    reason,
    stage,
    percent,
    version,
    route: matched.route.match,
    fallback:
      upstream === snapshot.config.default || matched.route.effect === 'write' || stage === 'retired'
        ? null
        : snapshot.config.default,
    path,
  };
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw new Problem('BAD_REQUEST', `header "${line}" is not name:value`);
  return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
}
