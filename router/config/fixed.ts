import type { Fault } from './fault.ts';
import type { Config } from './schema.ts';

/** What was bound at start can't be changed by a reload. */
export function fixedFaults(start: Config, next: Config): Fault[] {
  const fixed: readonly (readonly [string, (config: Config) => unknown])[] = [
    ['listen', (config) => config.listen],
    ['tls', (config) => config.tls],
    ['admin.listen', (config) => config.admin.listen],
    ['flags.file', (config) => config.flags.file],
    ['flags.etcd', (config) => config.flags.etcd],
    ['flags.prefix', (config) => config.flags.prefix],
    ['workers', (config) => config.workers],
  ];
  return fixed
    .filter(([, get]) => JSON.stringify(get(start)) !== JSON.stringify(get(next)))
    .map(([path]) => ({
      line: null,
      path,
      message: 'was changed; it only takes effect at a restart, so this version of the file is not applied',
    }));
}
