import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Config } from './config/schema.ts';
import { watchPath } from './flags/file.ts';

/** Key and certificate of the traffic port, read from the files that strangler.yaml names (relative to it). Throws when they don't fit together. */
export function readCertificate(tls: NonNullable<Config['tls']>, configPath: string): SecureContextOptions {
  const read = (file: string): Buffer => readFileSync(resolve(dirname(configPath), file));
  const pair = { key: read(tls.key), cert: read(tls.cert) };
  createSecureContext(pair);
  return pair;
}

/**
 * Calls back with a renewed pair when one of the files changes. Between the writing of the two they don't fit: then the old pair stays, and the
 * second change brings the new one.
 */
export function watchCertificate(
  tls: NonNullable<Config['tls']>,
  configPath: string,
  log: { info(message: string): void; warn(fields: object, message: string): void },
  renewed: (pair: SecureContextOptions) => void,
): { close(): void } {
  const changed = (): void => {
    try {
      renewed(readCertificate(tls, configPath));
      log.info('the certificate was renewed');
    } catch (error) {
      log.warn({ err: error }, 'the new key and certificate can not be used; the old ones stay');
    }
  };
  const watchers = [tls.key, tls.cert].map((file) =>
    watchPath(resolve(dirname(configPath), file), changed, 1000),
  );
  return { close: () => watchers.forEach((watcher) => watcher.close()) };
}
