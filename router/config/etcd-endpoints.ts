import type { Config } from './schema.ts';

/** Members of the etcd in which instances are listed: those of `flags.etcd`, else those of ETCD_URLS (comma-separated). Empty: there is none. */
export function etcdUrlsOf(
  config: Pick<Config, 'flags'>,
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const { etcd } = config.flags;
  return etcd.length > 0 ? etcd : (env['ETCD_URLS'] ?? '').split(',').flatMap((url) => url.trim() || []);
}
