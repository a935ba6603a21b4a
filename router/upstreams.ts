import type { Config } from './config/schema.ts';
import type { UpstreamOptions } from './forward/plan.ts';

/** The upstreams of a config as the data path takes them. */
export function upstreamOptions(config: Config): UpstreamOptions[] {
  return Object.entries(config.upstreams).map(([name, { urls, timeouts, maxInFlight }]) => ({
    name,
    urls,
    timeouts,
    maxInFlight,
  }));
}
