import { Gauge, type Registry } from '@prometheus-io/client';

/** Which upstreams are found by a registry, and whether it answers. `upstreams` as the admin API shows them. */
export function registerRegistry(registry: Registry, upstreams: () => unknown): void {
  new Gauge({
    name: 'strangler_registry_state',
    help: '1 for what stands behind the instances of an upstream: FRESH, STALE (the registry does not answer) or EMPTY (it lists nobody)',
    labelNames: ['upstream', 'state'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, registry: now } of upstreams() as readonly {
        name: string;
        registry?: string | null;
      }[])
        if (now) for (const state of STATES) this.set({ upstream: name, state }, state === now ? 1 : 0);
    },
  });
}

const STATES = ['FRESH', 'STALE', 'EMPTY'];
