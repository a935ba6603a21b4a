import { dirname, resolve } from 'node:path';
import type { Config } from '../config/schema.ts';
import { EtcdError } from '../etcd/post.ts';
import { StartFaults } from './current.ts';
import { openEtcdSource } from './etcd-source.ts';
import { readText } from './file.ts';
import { readFlags } from './read.ts';
import { fileSource, type FlagSource } from './source.ts';

/** Opens where a config says that the flags are. Rejects with StartFaults when there is nothing to start from. */
export async function openSource(config: Config, configPath: string, stateDir: string): Promise<FlagSource> {
  const { file, etcd: urls, prefix } = config.flags;
  const path = file === undefined ? null : resolve(dirname(configPath), file);
  if (urls.length === 0) return fileSource(path!);
  const seed = (): string | null => (path === null ? null : goodText(path, config));
  try {
    const source = await openEtcdSource({ urls, prefix, stateDir, seed, now: Date.now });
    if (source.newest().text === null && source.kept().length === 0) {
      source.close();
      const missing = source.read();
      throw fault(source.name, 'missing' in missing ? `${missing.missing}, or name flags.file` : '');
    }
    return source;
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    throw fault(
      `etcd ${prefix}flags`,
      `${error.message}; and ${stateDir} keeps no flags of an earlier life to start with: start etcd, or see to flags.etcd`,
    );
  }
}

/** The text of the file that the key is made from. Throws StartFaults when it would make bad flags. */
function goodText(path: string, config: Config): string {
  const found = readText(path);
  const faults =
    'text' in found
      ? readFlags(found.text, config).faults
      : [{ line: null, path: '', message: found.missing }];
  if (faults.length > 0 || !('text' in found)) throw new StartFaults([{ file: path, faults }]);
  return found.text;
}

function fault(file: string, message: string): StartFaults {
  return new StartFaults([{ file, faults: [{ line: null, path: '', message }] }]);
}
