import { createHash } from 'node:crypto';
import { MemoryStorage, type FeatureFlag } from '@openfeature/flagd-core';
import { LineCounter, parseDocument } from 'yaml';
import type { Fault } from '../config/fault.ts';
import { locator, pathText, type Locate } from '../config/locate.ts';
import type { Config, FeatureConfig } from '../config/schema.ts';
import { plainBuckets } from './bucket.ts';
import { STAGES, STAGE_TABLE, isStage, type Sides, type Stage } from './stage.ts';
import { isObject, percentOf, reachable, visit, type Json } from './targeting.ts';

/** What one feature's flag says, ready to be evaluated per request. */
export interface FlagState {
  readonly stage: Stage;
  readonly state: 'ENABLED' | 'DISABLED';
  /** Share of the service in the flag's one fractional, in percent; null when it has none or several. */
  readonly percent: number | null;
  /** `metadata.ramp`, when the file carries one. */
  readonly ramp: 'running' | 'paused' | 'latched' | null;
  /** Changes whenever anything in the flag does, also a rule for cohorts that no other field shows. */
  readonly fingerprint: string;
  /** The values of its variants, for whoever asks for the flag instead of sending a request. */
  readonly variants: Readonly<Record<string, Json>>;
  /** The upstream the flag names for this context, and whether the share (rather than a rule before it) decided. */
  evaluate(context: EvaluationContext): { upstream: string | null; bucketed: boolean };
}

/** What targeting sees. Mutable, so that one object can serve every evaluation. */
export type EvaluationContext = { targetingKey: string } & Record<string, Json>;

export interface FlagsRead {
  /** By feature name; empty when there are faults. */
  readonly flags: ReadonlyMap<string, FlagState>;
  readonly faults: readonly Fault[];
}

/** Variants inside a fractional carry this in the evaluated copy, which tells a share's answer from a cohort's. */
const BUCKETED = '#bucket';

// flagd-core logs every targeting fault; ours are collected as faults instead.
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** Reads a flagd flag file and checks it against the config, strictly: what passes can be served, what doesn't is not applied at all. */
export function readFlags(text: string, config: Config): FlagsRead {
  let file: Json;
  try {
    file = JSON.parse(text) as Json;
  } catch (error) {
    const message = text.trim() === '' ? 'the file is empty' : `is not JSON: ${(error as Error).message}`;
    return {
      flags: new Map(),
      faults: [{ line: Number(/line (\d+)/.exec(message)?.[1] ?? 0) || null, path: '', message }],
    };
  }
  const lines = new LineCounter();
  const locate = locator(parseDocument(text, { lineCounter: lines, uniqueKeys: false }), lines);
  const structure = structureFaults(text, locate);
  if (structure.length > 0) return { flags: new Map(), faults: structure };

  const resolved = inlineEvaluators(file);
  const faults = Object.entries(config.features).flatMap(([name, feature]) =>
    flagFaults(name, feature, config, resolved, locate),
  );
  if (faults.length > 0) return { flags: new Map(), faults };
  const storage = new MemoryStorage(quiet);
  storage.setConfigurations(JSON.stringify(markBuckets(resolved)));
  return {
    flags: new Map(
      Object.entries(config.features).map(([name, feature]) => [
        name,
        flagState(feature, resolved, storage.getFlag(feature.flag)!),
      ]),
    ),
    faults: [],
  };
}

function flagOf(file: Json, key: string): { [key: string]: Json } | null {
  const flags = isObject(file) ? file['flags'] : null;
  const flag = isObject(flags) && Object.hasOwn(flags, key) ? flags[key] : null;
  return isObject(flag) ? flag : null;
}

function flagState(feature: FeatureConfig, file: Json, compiled: FeatureFlag): FlagState {
  const flag = flagOf(file, feature.flag)!;
  const metadata = isObject(flag['metadata']) ? flag['metadata'] : {};
  const ramp = metadata['ramp'];
  const bucketOf = plainBuckets(feature.flag, flag['targeting']);
  return {
    stage: metadata['stage'] as Stage,
    state: flag['state'] as 'ENABLED' | 'DISABLED',
    percent: percentOf(flag['targeting'], feature.upstream),
    fingerprint: createHash('sha256').update(JSON.stringify(flag)).digest('hex').slice(0, 12),
    variants: flag['variants'] as { [key: string]: Json },
    ramp: ramp === 'running' || ramp === 'paused' || ramp === 'latched' ? ramp : null,
    evaluate(context) {
      if (bucketOf !== null) return { upstream: bucketOf(context.targetingKey), bucketed: true };
      const variant = compiled.evaluate(context, quiet).variant;
      if (variant === undefined) return { upstream: null, bucketed: false };
      return variant.endsWith(BUCKETED)
        ? { upstream: variant.slice(0, -BUCKETED.length), bucketed: true }
        : { upstream: variant, bucketed: false };
    },
  };
}

/** flagd's own schema. Of the many messages one wrong rule causes, the first at each place says enough. */
function structureFaults(text: string, locate: Locate): Fault[] {
  try {
    new MemoryStorage(quiet).setConfigurations(text, true);
    return [];
  } catch (error) {
    const message = (error as Error).message;
    const list = /: (\[[\s\S]*\])$/.exec(message)?.[1];
    if (!list) return [{ line: null, path: '', message }];
    const seen = new Map<string, Fault>();
    for (const issue of JSON.parse(list) as {
      instancePath: string;
      message: string;
      params?: { additionalProperty?: string };
    }[]) {
      const path = issue.instancePath
        .split('/')
        .slice(1)
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
      const unknown = issue.params?.additionalProperty;
      const what = unknown
        ? `"${unknown}" is not an operator or key flagd knows here, or its operands are wrong`
        : issue.message;
      if (!seen.has(issue.instancePath))
        seen.set(issue.instancePath, { line: locate(path), path: pathText(path), message: what });
    }
    return [...seen.values()];
  }
}

/** The names in the flag, and its agreement with its stage. */
function flagFaults(
  name: string,
  feature: FeatureConfig,
  config: Config,
  file: Json,
  locate: Locate,
): Fault[] {
  const at = ['flags', feature.flag];
  const fault = (path: string[], message: string): Fault => ({
    line: locate([...at, ...path]),
    path: pathText([...at, ...path]),
    message,
  });
  const flag = flagOf(file, feature.flag);
  if (!flag)
    return [{ line: null, path: pathText(at), message: `is missing; the feature ${name} is decided by it` }];
  const variants = Object.keys(isObject(flag['variants']) ? flag['variants'] : {});
  // A seam's upstream is a name only.
  const sideNames = [...new Set([...Object.keys(config.upstreams), feature.upstream])];
  const strangers = variants.filter((variant) => !sideNames.includes(variant));
  if (strangers.length > 0)
    return [
      fault(
        ['variants', strangers[0]!],
        `is not an upstream; variants are named like the upstreams (${sideNames.join(', ')})`,
      ),
    ];
  for (const needed of [config.default, feature.upstream]) {
    if (!variants.includes(needed))
      return [
        fault(
          ['variants'],
          `lacks "${needed}"; the feature ${name} chooses between ${config.default} and ${feature.upstream}`,
        ),
      ];
  }
  const stage = isObject(flag['metadata']) ? flag['metadata']['stage'] : undefined;
  if (!isStage(stage)) return [fault(['metadata', 'stage'], `must be one of ${STAGES.join(', ')}`)];
  const sides = STAGE_TABLE[stage].sides;
  const defaultVariant = String(flag['defaultVariant']);
  if (defaultVariant !== config.default && !(sides === 'service' && defaultVariant === feature.upstream)) {
    return [
      fault(
        ['defaultVariant'],
        `must be "${config.default}" in stage ${stage}: who has no key goes to the default upstream`,
      ),
    ];
  }
  const answers = reachable(flag['targeting'], defaultVariant);
  const unknown = [...(answers ?? [])].find((variant) => !variants.includes(variant));
  if (unknown !== undefined)
    return [
      fault(
        ['targeting'],
        `answers with "${unknown}", which is not one of its variants (${variants.join(', ')})`,
      ),
    ];
  const wanted = { default: config.default, service: feature.upstream, both: null }[sides satisfies Sides];
  if (wanted === null || (answers?.size === 1 && answers.has(wanted))) return [];
  const weight = sides === 'default' ? 0 : 100;
  return [
    fault(
      ['targeting'],
      `disagrees with stage ${stage}, in which it must answer ${wanted} only (${feature.upstream} at weight ${weight}); change the stage or the targeting`,
    ),
  ];
}

/** `$ref` to `$evaluators`, as flagd resolves them, so that the checks see what is evaluated. */
function inlineEvaluators(file: Json): Json {
  const shared = isObject(file) ? file['$evaluators'] : undefined;
  if (!isObject(shared) || !isObject(file)) return file;
  const inline = (node: Json, depth: number): Json => {
    if (Array.isArray(node)) return node.map((item) => inline(item, depth));
    if (!isObject(node)) return node;
    const reference = node['$ref'];
    if (typeof reference === 'string' && Object.hasOwn(shared, reference) && depth < 10)
      return inline(shared[reference]!, depth + 1);
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, inline(value, depth)]));
  };
  const { $evaluators: _, ...rest } = file;
  return inline(rest, 0);
}

function markBuckets(file: Json): Json {
  if (!isObject(file) || !isObject(file['flags'])) return file;
  const flags = Object.entries(file['flags']).map(([key, flag]): [string, Json] => {
    if (!isObject(flag) || !isObject(flag['variants'])) return [key, flag];
    const variants = Object.fromEntries(
      Object.entries(flag['variants']).flatMap(([name, value]) => [
        [name, value],
        [name + BUCKETED, value],
      ]),
    );
    const targeting = visit(flag['targeting'], (list) =>
      list.map((entry) =>
        Array.isArray(entry) && typeof entry[0] === 'string'
          ? [entry[0] + BUCKETED, ...entry.slice(1)]
          : entry,
      ),
    );
    return [key, { ...flag, variants, ...(targeting === undefined ? {} : { targeting }) }];
  });
  return { ...file, flags: Object.fromEntries(flags) };
}
