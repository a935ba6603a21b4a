import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What is wrong with a move's name or file, before any database is asked. */
export class NoDescription extends Error {}

/** The default export of FOLDER/NAME.ts, as it stands there. Throws NoDescription. */
export async function loadDescription(name: string, folder: string): Promise<unknown> {
  // The name becomes part of a path, and of SQL.
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(name))
    throw new NoDescription(`"${name}" is no name of a move: lower-case letters, digits and _, at most 40`);
  const file = resolve(join(folder, `${name}.ts`));
  if (!existsSync(file)) throw new NoDescription(`there is no move "${name}": ${file} does not exist`);
  const { default: described } = (await import(pathToFileURL(file).href).catch((error: Error) => {
    throw new NoDescription(`${file} can't be loaded: ${error.message}`, { cause: error });
  })) as { default?: { name?: unknown } };
  if (described?.name !== name)
    throw new NoDescription(`${file} has no default export that describes the move "${name}"`);
  return described;
}
