import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

export const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

/** What a process is started with, by the name of its image. */
export const ENTRIES: Readonly<Record<string, readonly string[]>> = {
  router: ['cli/main.ts', 'router/workers/worker.ts', 'router/workers/control.ts'],
  monolith: ['monolith/main.ts', 'monolith/darkroom-worker.ts'],
  relay: ['monolith/relay.ts'],
  'image-api': ['extracted/image-api/main.ts'],
  'email-api': ['extracted/email-api/main.ts', 'extracted/email-api/dead-letters.ts'],
  setup: ['cli/main.ts', 'deploy/seed.ts'],
};

const WORKSPACE = /^@strangler-kit\/([a-z-]+)\/(.+)$/;

/** Files of the repository that are loaded from here, and the packages: those that a process can reach, be it later. `import type` loads nothing. */
export function reached(entries: readonly string[]): {
  files: ReadonlySet<string>;
  packages: ReadonlySet<string>;
} {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    const statements = read(file).matchAll(
      /(?:^|\n)(?:import|export)\s+(type\s+)?(?:[\w*{][^'";]*?\sfrom\s+)?'([^'\n]+)'|import\(\s*'([^']+)'/g,
    );
    for (const [, type, fixed, lazy] of statements) {
      const to = fixed ?? lazy!;
      if (type !== undefined || to.startsWith('node:')) continue;
      const [, workspace, rest] = WORKSPACE.exec(to) ?? [];
      if (to.startsWith('.')) visit(relative(ROOT, resolve(ROOT, dirname(file), to)));
      else if (workspace !== undefined) visit(`${workspace}/${rest}`);
      else packages.add(/^(@[^/]+\/)?[^/]+/.exec(to)![0]);
    }
  };
  entries.forEach(visit);
  return { files, packages };
}

/** True when the code of a process, or what it is told by a file of ours, reads the environment variable. */
export function knowsVariable(image: string, name: string): boolean {
  const more = { router: ['strangler.yaml'], setup: ['deploy/setup'] }[image] ?? [];
  const word = new RegExp(`\\b${name}\\b`);
  return [...reached(ENTRIES[image]!).files, ...more].some((file) => word.test(read(file)));
}
