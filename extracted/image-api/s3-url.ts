/** A place in an S3 bucket. Credentials are none of it: AWS's own variables and files name them. */
export interface S3Place {
  readonly bucket: string;
  /** Without slashes at its ends; empty: the bucket itself. */
  readonly prefix: string;
  readonly region: string;
  /** Of a store that is not AWS's; null: AWS. */
  readonly endpoint: string | null;
  /** Whether the bucket is in the path and not in the host's name. */
  readonly isPathStyle: boolean;
}

const EXAMPLE = 's3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=eu-central-1&path-style=1';

/** Reads `s3://bucket/prefix?endpoint=…&region=…&path-style=1`. Throws an error that names `variable`, and never repeats a password. */
export function readS3Url(variable: string, text: string, presetRegion: string | undefined): S3Place {
  const url = URL.parse(text);
  const fail = (why: string): never => {
    throw new Error(`${variable} ${why}; give ${EXAMPLE}`);
  };
  if (!url) return fail('is not a URL of a bucket');
  if (url.username || url.password)
    return fail('has credentials in it: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead');
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.hostname) || url.port)
    return fail(`names no bucket, which is 3 to 63 of a-z, 0-9, . and -`);
  for (const name of url.searchParams.keys())
    if (!['endpoint', 'region', 'path-style'].includes(name) || url.searchParams.getAll(name).length > 1)
      return fail(`has an unknown or repeated parameter ${name}`);
  if (url.hash) return fail('has a #');
  const prefix = url.pathname.replace(/^\/+|\/+$/g, '');
  if (prefix !== '' && !/^[\w.!*'()-]+(?:\/[\w.!*'()-]+)*$/.test(prefix))
    return fail('has a prefix with characters other than letters, digits, / and !-_.*()');
  const endpoint = url.searchParams.get('endpoint');
  const at = endpoint === null ? null : URL.parse(endpoint);
  if (endpoint !== null && (!at || !/^https?:$/.test(at.protocol) || at.username || at.search))
    return fail('has an endpoint that is not like http://127.0.0.1:9000');
  const style = url.searchParams.get('path-style') ?? '0';
  if (style !== '0' && style !== '1') return fail('has a path-style that is not 0 or 1');
  // Other stores have regions in name only.
  const region = url.searchParams.get('region') || presetRegion || (endpoint ? 'us-east-1' : '');
  if (!/^[a-z0-9-]+$/.test(region)) return fail('names no region, nor does AWS_REGION');
  return { bucket: url.hostname, prefix, region, endpoint, isPathStyle: style === '1' };
}
