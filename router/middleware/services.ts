import type { UpstreamOptions } from '../forward/plan.ts';
import { DEFAULT_LIMITS, type Limits } from '../forward/limits.ts';
import { Upstream } from '../forward/upstream.ts';
import { DEFAULT_BREAKER } from '../instances/breaker.ts';
import type { Instance } from '../instances/instance.ts';
import { createLane, type Lane } from './lane.ts';

/** The services that requests are carried to: their instances and breakers, and the connections to them. */
export interface Services {
  upstream(name: string): Upstream | undefined;
  lane(instance: Instance, upstream: Upstream): Lane;
  /** Takes a new list. What is under way to a removed one finishes. */
  setUpstreams(list: readonly UpstreamOptions[]): void;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  readonly limits: Limits;
  close(): void;
}

export function createServices(): Services {
  const upstreams = new Map<string, Upstream>();
  const lanes = new Map<string, Lane>();
  const { idleSockets } = DEFAULT_LIMITS;
  const laneKey = (url: string, idle: number): string => `${url} ${idle}`;

  function closeLanes(isKept: (key: string) => boolean): void {
    for (const [key, lane] of lanes) {
      if (isKept(key)) continue;
      lane.close();
      lanes.delete(key);
    }
  }

  return {
    upstream: (name) => upstreams.get(name),
    lane({ url }, { options }) {
      const key = laneKey(url, options.timeouts.idle);
      let lane = lanes.get(key);
      if (!lane) lanes.set(key, (lane = createLane(url, options.timeouts.idle)));
      return lane;
    },
    setUpstreams(list) {
      for (const [name, upstream] of upstreams) {
        if (list.some((entry) => entry.name === name)) continue;
        upstreams.delete(name);
        upstream.close();
      }
      for (const entry of list) {
        const known = upstreams.get(entry.name);
        if (known) known.configure(entry);
        else
          upstreams.set(
            entry.name,
            new Upstream(entry, { idleSockets, breaker: DEFAULT_BREAKER, random: Math.random }),
          );
      }
      const keys = new Set(
        list.flatMap(({ urls, timeouts }) => urls.map((url) => laneKey(url, timeouts.idle))),
      );
      closeLanes((key) => keys.has(key));
    },
    now: () => performance.now(),
    limits: DEFAULT_LIMITS,
    close: () => closeLanes(() => false),
  };
}
