import { createHash } from 'node:crypto';
import type { Config, RouteConfig } from '../config/schema.ts';
import { decisions, type DecidedFeature } from '../request/decide.ts';
import { createMatcher, type Matcher } from '../request/match.ts';
import { parseTemplate, type Template } from '../request/template.ts';
import type { FlagState } from './read.ts';

/** One route of one feature, as the matcher hands it out. */
export interface MatchedRoute {
  readonly feature: DecidedFeature;
  readonly route: RouteConfig;
}

/** Everything serving reads, made from one config and one flag file that passed together. Immutable: a request sees exactly one. */
export interface Snapshot {
  /** Hash of the config and the flags: two routers with the same files show the same version. */
  readonly version: string;
  readonly config: Config;
  /** Hash of the flag file alone: what a change compares against before it swaps. */
  readonly flagsVersion: string;
  readonly features: ReadonlyMap<string, DecidedFeature>;
  readonly matcher: Matcher<MatchedRoute>;
  /** Cookies that are issued to clients without a key, by name. */
  readonly issued: readonly string[];
}

export function buildSnapshot(
  config: Config,
  flagsText: string,
  flags: ReadonlyMap<string, FlagState>,
  killed: ReadonlySet<string>,
): Snapshot {
  const version = hash(`${JSON.stringify(config)}\n${flagsText}\n${[...killed].toSorted().join('\n')}`);
  const features = new Map<string, DecidedFeature>();
  const routes: { template: Template; target: MatchedRoute }[] = [];
  for (const [name, featureConfig] of Object.entries(config.features)) {
    const flag = flags.get(name)!;
    const feature: DecidedFeature = {
      name,
      config: featureConfig,
      flag,
      killed: flag.state === 'DISABLED' || killed.has(name),
      frozen: decisions(name, flag, version),
    };
    features.set(name, feature);
    for (const route of featureConfig.routes)
      routes.push({ template: parseTemplate(route.match) as Template, target: { feature, route } });
  }
  const issued = Object.values(config.features).flatMap((feature) =>
    feature.key.flatMap((source) => ('issue' in source ? [source.issue] : [])),
  );
  return {
    version,
    config,
    flagsVersion: hash(flagsText),
    features,
    matcher: createMatcher(routes),
    issued: [...new Set(issued)],
  };
}

/** Twelve hexadecimal digits of SHA-256: enough to tell versions apart, short enough to read aloud. */
export function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
