import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** The import rules of ARCHITECTURE.md. What depends on what is the design; a rule that nothing checks is a wish. */

const root = resolve(import.meta.dirname, '..');
const WORKSPACES: Record<string, string> = {
  '@strangler-kit/router': 'router',
  '@strangler-kit/migrations': 'migrations',
  '@strangler-kit/cli': 'cli',
};

interface Import {
  readonly from: string;
  readonly to: string;
  /** `import type` binds nothing at run time, so it makes no circle; layers it may not cross all the same. */
  readonly isType: boolean;
}

const files = globSync(['{router,migrations,cli,monolith,tools}/**/*.ts', 'extracted/**/*.ts'], {
  cwd: root,
  exclude: (name) => name.includes('node_modules'),
}).filter((file) => !file.endsWith('.test.ts'));
const imports: Import[] = files.flatMap((from) => importsOf(from));
const products = imports.filter(({ from }) => !from.startsWith('tools/'));

function importsOf(from: string): Import[] {
  const text = readFileSync(join(root, from), 'utf8');
  const statements = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'"\n;]*?|\{[^}]*\})\s*(?:from\s*)?['"]([^'"]+)['"]|import\((?:\s*)['"]([^'"]+)['"]/g,
  );
  return [...statements].flatMap(([, type, fixed, lazy]) => {
    const to = target(from, fixed ?? lazy ?? '');
    return to === null ? [] : [{ from, to, isType: type !== undefined }];
  });
}

/** The imported file, relative to the root; null for packages from the registry and Node's own modules. */
function target(from: string, specifier: string): string | null {
  if (specifier.startsWith('.')) return relative(root, resolve(root, dirname(from), specifier));
  const workspace = Object.keys(WORKSPACES).find(
    (name) => specifier === name || specifier.startsWith(`${name}/`),
  );
  return workspace ? WORKSPACES[workspace] + specifier.slice(workspace.length) : null;
}

/** Imports out of one place into another that break a rule, as lines a person can act on. */
const breaking = (isFrom: (path: string) => boolean, isTo: (path: string) => boolean): string[] =>
  products.filter(({ from, to }) => isFrom(from) && isTo(to)).map(({ from, to }) => `${from} imports ${to}`);
const within =
  (...folders: string[]) =>
  (path: string) =>
    folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
const outside =
  (...folders: string[]) =>
  (path: string) =>
    !within(...folders)(path);

describe('import rules', () => {
  it('finds the imports it judges', () => {
    assert.ok(
      files.length > 50 && imports.length > files.length,
      `${files.length} files, ${imports.length} imports`,
    );
    assert.ok(
      imports.some(({ from, to }) => from === 'cli/main.ts' && to === 'cli/commands/serve.ts'),
      'lazy imports are seen',
    );
    assert.ok(
      imports.some(({ from, to }) => from === 'cli/client.ts' && to === 'router/config/parse.ts'),
      'workspace imports are seen',
    );
  });

  it('request and ramp never import each other', () =>
    assert.deepEqual(
      [
        ...breaking(within('router/request'), within('router/ramp')),
        ...breaking(within('router/ramp'), within('router/request')),
      ],
      [],
    ));
  it('forward and shadow never import each other', () =>
    assert.deepEqual(
      [
        ...breaking(within('router/forward'), within('router/shadow')),
        ...breaking(within('router/shadow'), within('router/forward')),
      ],
      [],
    ));
  it('the data path knows nothing of features and flags', () =>
    assert.deepEqual(
      breaking(
        within('router/http', 'router/forward', 'router/instances'),
        within('router/flags', 'router/request', 'router/config', 'router/admin', 'router/journal'),
      ),
      [],
    ));
  it('only pipeline.ts and traffic-port.ts know both deciding and forwarding', () => {
    const both = files.filter(
      (file) =>
        file.startsWith('router/') &&
        importsOf(file).some(({ to, isType }) => !isType && within('router/forward')(to)) &&
        importsOf(file).some(({ to, isType }) => !isType && within('router/flags')(to)),
    );
    assert.deepEqual(
      both.filter((file) => !['router/traffic-port.ts', 'router/pipeline.ts'].includes(file)),
      [],
    );
  });
  it('nothing imports serve.ts but the CLI', () =>
    assert.deepEqual(
      breaking(
        (path) => !path.startsWith('cli/'),
        (path) => path === 'router/serve.ts',
      ),
      [],
    ));
  it('migrations never import the router', () =>
    assert.deepEqual(breaking(within('migrations'), outside('migrations')), []));
  it('the router imports its own files only', () =>
    assert.deepEqual(breaking(within('router'), outside('router')), []));
  it('the CLI imports serve, config, admin protocol, flags and migrations', () =>
    assert.deepEqual(
      breaking(within('cli'), (path) =>
        within(
          'router/forward',
          'router/http',
          'router/instances',
          'router/journal',
          'router/metrics',
          'monolith',
          'extracted',
        )(path),
      ),
      [],
    ));
  it('the monolith imports its own files only', () =>
    assert.deepEqual(breaking(within('monolith'), outside('monolith')), []));
  it('each service imports its own files only', () => {
    for (const service of new Set(
      files.filter(within('extracted')).map((file) => file.split('/').slice(0, 2).join('/')),
    ))
      assert.deepEqual(breaking(within(service), outside(service)), []);
  });

  it('has no circles', () => {
    const next = Map.groupBy(
      imports.filter(({ isType }) => !isType),
      ({ from }) => from,
    );
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      assert.ok(!path.includes(file), `circle: ${[...path.slice(path.indexOf(file)), file].join(' → ')}`);
      if (done.has(file)) return;
      for (const { to } of next.get(file) ?? []) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });

  it('has no file that says nothing of what is inside', () =>
    assert.deepEqual(
      files.filter((file) => /(^|\/)(utils?|helpers?|common|shared|types|misc|index)(\/|\.ts$)/.test(file)),
      [],
    ));
});
