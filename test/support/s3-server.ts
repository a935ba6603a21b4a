import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { listening } from './listening.ts';

/** What goes wrong with a request: 503 · its bytes break off in the middle · it is never answered. */
export type S3Trouble = 'away' | 'cut' | 'hang';

export interface S3Request {
  readonly method: string;
  /** Below the bucket; empty for a list. */
  readonly key: string;
  readonly headers: IncomingMessage['headers'];
}

export interface S3Object {
  readonly bytes: Buffer;
  /** Milliseconds since the epoch. */
  writtenAt: number;
}

export interface S3Server {
  /** `s3://…` of its bucket, with a prefix when given. */
  urlOf(prefix?: string): string;
  readonly endpoint: string;
  readonly objects: Map<string, S3Object>;
  /** In the order they came, also those that met trouble. */
  readonly requests: S3Request[];
  /** Answers whose client went away before they were complete. */
  readonly abandoned: () => number;
  /** Asked of each request; may wait, which delays it. */
  trouble: (request: S3Request) => S3Trouble | undefined | Promise<S3Trouble | undefined>;
  close(): Promise<void>;
}

const BUCKET = 'pictures';
/** What clients of the server must have in their environment, and sign with. */
export const S3_CREDENTIALS = { AWS_ACCESS_KEY_ID: 'test-key', AWS_SECRET_ACCESS_KEY: 'test-secret' };

/**
 * A bucket in this process, as far as blobs need one: objects put whole and checked by their SHA-256, read whole or in part, copied, listed by pages of
 * `pageSize`. Signatures are looked at for their key, not computed again.
 */
export async function startS3({ pageSize = 1000 } = {}): Promise<S3Server> {
  const objects = new Map<string, S3Object>();
  const requests: S3Request[] = [];
  let abandoned = 0;
  const { server, url } = await listening((request, response) => {
    response.on('close', () => void (abandoned += response.writableFinished ? 0 : 1));
    answer(request, response).catch(() => response.destroy());
  });
  const self: S3Server = {
    endpoint: url,
    objects,
    requests,
    abandoned: () => abandoned,
    trouble: () => undefined,
    urlOf: (prefix = '') => `s3://${BUCKET}/${prefix}?endpoint=${url}&region=eu-central-1&path-style=1`,
    async close() {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, url);
    const [, bucket, ...rest] = pathname.split('/').map(decodeURIComponent);
    const { method = '', headers } = request;
    const asked = { method, key: rest.join('/'), headers };
    requests.push(asked);
    const fail = (status: number, code: string): void => {
      response.writeHead(status, { 'content-type': 'application/xml' });
      response.end(method === 'HEAD' ? '' : `<Error><Code>${code}</Code><Message>no</Message></Error>`);
    };
    const trouble = await self.trouble(asked);
    if (trouble === 'hang') return;
    if (trouble === 'away') return fail(503, 'SlowDown');
    if (trouble === 'cut' && method === 'PUT') {
      await once(request, 'readable');
      return void request.destroy();
    }
    if (!headers.authorization?.includes(`Credential=${S3_CREDENTIALS.AWS_ACCESS_KEY_ID}/`))
      return fail(403, 'AccessDenied');
    if (bucket !== BUCKET) return fail(404, 'NoSuchBucket');
    if (method === 'PUT') {
      const source = headers['x-amz-copy-source'];
      return typeof source === 'string'
        ? copy(asked, source, response, fail)
        : put(asked, request, response, fail);
    }
    if (method === 'GET' && asked.key === '') return list(searchParams, response);
    if (method === 'DELETE') {
      objects.delete(asked.key);
      return void response.writeHead(204).end();
    }
    const object = objects.get(asked.key);
    if (!object) return fail(404, 'NoSuchKey');
    read(asked, object, response, fail, trouble === 'cut');
  }

  async function put(
    { key, headers }: S3Request,
    request: IncomingMessage,
    response: ServerResponse,
    fail: (status: number, code: string) => void,
  ): Promise<void> {
    // Bytes between chunk heads with trailers are what stores other than AWS's fail at; nor is a length known then.
    if (headers['content-length'] === undefined || headers['content-encoding']?.includes('aws-chunked'))
      return fail(411, 'MissingContentLength');
    const bytes = await buffer(request);
    const sum = headers['x-amz-checksum-sha256'];
    if (sum !== undefined && sum !== createHash('sha256').update(bytes).digest('base64'))
      return fail(400, 'BadDigest');
    objects.set(key, { bytes, writtenAt: Date.now() });
    response.writeHead(200, { etag: etagOf(bytes) }).end();
  }

  function copy(
    { key, headers }: S3Request,
    source: string,
    response: ServerResponse,
    fail: (status: number, code: string) => void,
  ): void {
    const from = decodeURIComponent(source).replace(/^\/?[^/]*\//, '');
    const object = objects.get(from);
    if (!object) return fail(404, 'NoSuchKey');
    if (from === key && headers['x-amz-metadata-directive'] !== 'REPLACE') return fail(400, 'InvalidRequest');
    const writtenAt = Date.now();
    objects.set(key, { bytes: object.bytes, writtenAt });
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(
      `<CopyObjectResult><LastModified>${new Date(writtenAt).toISOString()}</LastModified></CopyObjectResult>`,
    );
  }

  function read(
    { method, headers }: S3Request,
    { bytes, writtenAt }: S3Object,
    response: ServerResponse,
    fail: (status: number, code: string) => void,
    isCut: boolean,
  ): void {
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
    const start = Number(from ?? 0);
    const end = Math.min(to ? Number(to) : Infinity, bytes.length - 1);
    if (from !== undefined && start > end) return fail(416, 'InvalidRange');
    response.writeHead(from === undefined ? 200 : 206, {
      etag: etagOf(bytes),
      'last-modified': new Date(writtenAt).toUTCString(),
      'content-length': String(end - start + 1),
      ...(from === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${bytes.length}` }),
    });
    if (method === 'HEAD') return void response.end();
    const part = bytes.subarray(start, end + 1);
    if (isCut) response.write(part.subarray(0, part.length >> 1), () => response.destroy());
    else response.end(part);
  }

  function list(query: URLSearchParams, response: ServerResponse): void {
    const after = query.get('continuation-token') ?? '';
    const keys = [...objects.keys()]
      .filter((key) => key.startsWith(query.get('prefix') ?? '') && key > after)
      .sort();
    const page = keys.slice(0, pageSize);
    const contents = page.map((key) => {
      const { bytes, writtenAt } = objects.get(key)!;
      return `<Contents><Key>${key}</Key><LastModified>${new Date(writtenAt).toISOString()}</LastModified><Size>${bytes.length}</Size></Contents>`;
    });
    const next = keys.length > page.length ? page.at(-1) : undefined;
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(
      `<?xml version="1.0"?><ListBucketResult><IsTruncated>${next !== undefined}</IsTruncated>${next === undefined ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`}${contents.join('')}</ListBucketResult>`,
    );
  }

  return self;
}

function etagOf(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}
