import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { validate } from 'dockerfile-utils';
import { stages, type Stage } from './images.ts';
import { ENTRIES, ROOT, reached, read } from './source.ts';

/** What no engine is needed for to know: that each image holds what its process loads, and that it is closed as it should be. */
describe('the images', () => {
  const all = stages();
  const images = Object.keys(ENTRIES);

  it('are written without a fault that the linter knows', () =>
    assert.deepEqual(
      validate(read('Dockerfile')).map(({ message, range }) => `${range.start.line + 1} ${message}`),
      [],
    ));

  for (const image of images) {
    const stage = (): Stage => all.get(image)!;
    it(`${image}: holds every file and package that its process loads`, () => {
      const { files, packages } = reached(ENTRIES[image]!);
      const has = (file: string): boolean =>
        stage().copied.some((path) => file === path || file.startsWith(`${path}/`));
      assert.deepEqual(
        [...files].filter((file) => !has(file)),
        [],
      );
      const installed = new Set(
        stage().workspaces.flatMap((workspace) => {
          const folder = [
            'router',
            'migrations',
            'cli',
            'monolith',
            'extracted/image-api',
            'extracted/email-api',
          ].find((path) => (JSON.parse(read(`${path}/package.json`)) as { name: string }).name === workspace);
          const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
            read(`${folder}/package.json`),
          ) as Record<string, Record<string, string>>;
          return Object.keys({ ...dependencies, ...optionalDependencies });
        }),
      );
      assert.deepEqual(
        [...packages].filter((name) => !installed.has(name)),
        [],
      );
      for (const path of stage().copied) assert.ok(existsSync(join(ROOT, path)), path);
    });

    it(`${image}: runs its entry as nobody special, and has a health check`, () => {
      const { command, user, health, ports } = stage();
      assert.ok(
        command.some((word) => ENTRIES[image]!.includes(word) || word === 'deploy/setup'),
        command.join(' '),
      );
      assert.equal(user, 'node');
      assert.ok(health);
      if (image !== 'setup')
        assert.ok(
          ports.some((port) => health.includes(`127.0.0.1:${port}/`)),
          health,
        );
    });
  }

  it('get nothing from the builder’s folder but what is copied', () => {
    const ignored = read('.dockerignore').split('\n');
    assert.equal(
      ignored.find((line) => line !== '' && !line.startsWith('#')),
      '*',
    );
    const allowed = ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    for (const path of images.flatMap((image) => all.get(image)!.copied))
      assert.ok(
        allowed.some((each) => path === each || path.startsWith(`${each}/`)),
        path,
      );
    assert.ok(ignored.includes('**/node_modules'));
  });

  it('hold the manifest of each workspace, which npm wants to see', () => {
    const { workspaces } = JSON.parse(read('package.json')) as { workspaces: string[] };
    const copied = all.get('manifests')!.copied;
    for (const workspace of workspaces.filter((path) => !path.includes('*')))
      assert.ok(copied.includes(`${workspace}/package.json`), workspace);
    for (const path of copied.filter((each) => each.startsWith('extracted/')))
      assert.ok(existsSync(join(ROOT, path)), path);
  });
});
