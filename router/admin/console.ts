import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RequestHandler } from 'express';

const FOLDER = join(import.meta.dirname, 'console');

/** What the pages import by name, from the packages that came with the install. No build: the browser loads these files as they are. */
const VENDOR = {
  preact: { file: 'preact.js', module: import.meta.resolve('preact') },
  'preact/hooks': { file: 'preact-hooks.js', module: import.meta.resolve('preact/hooks') },
  htm: { file: 'htm.js', module: import.meta.resolve('htm') },
  '@preact/signals': { file: 'signals.js', module: import.meta.resolve('@preact/signals') },
  '@preact/signals-core': { file: 'signals-core.js', module: import.meta.resolve('@preact/signals-core') },
  uplot: { file: 'uplot.js', module: import.meta.resolve('uplot/dist/uPlot.esm.js') },
} as const;

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.html': 'text/html; charset=utf-8',
};

interface Asset {
  readonly body: Buffer;
  readonly type: string;
  readonly etag: string;
  /** The URL changes with the bytes, so nobody has to ask again. */
  readonly isImmutable: boolean;
}

/**
 * The console's page and its files, read once into a table: a path of a request is looked up in it and never reaches the file system.
 * The page is the same for everybody and holds nothing; what it shows it asks of the API.
 */
export function createConsole(): RequestHandler {
  const assets = new Map<string, Asset>();
  const add = (path: string, body: Buffer, isImmutable: boolean): void =>
    void assets.set(path, {
      body,
      type: TYPES[extname(path)]!,
      etag: `"${digest(body).slice(0, 22)}"`,
      isImmutable,
    });
  const vendor = (file: string, path: string): string => {
    const body = readFileSync(path);
    const url = `/console/vendor/${digest(body).slice(0, 12)}/${file}`;
    add(url, body, true);
    return url;
  };
  const imports = Object.fromEntries(
    Object.entries(VENDOR).map(([name, { file, module }]) => [name, vendor(file, fileURLToPath(module))]),
  );
  const chartStyle = vendor('uplot.css', fileURLToPath(new URL('uPlot.min.css', VENDOR.uplot.module)));
  for (const file of readdirSync(FOLDER))
    if (['.js', '.css', '.svg'].includes(extname(file)))
      add(`/console/${file}`, readFileSync(join(FOLDER, file)), false);

  const page = readFileSync(join(FOLDER, 'console.html'), 'utf8')
    .replace('{{importmap}}', () => JSON.stringify({ imports }))
    .replace('{{uplot.css}}', () => chartStyle);
  // An import map can only be inline; its hash in the policy is what lets this one in, and nothing else that is inline.
  const [, importMap = ''] = /<script type="importmap">([^]*?)<\/script>/.exec(page) ?? [];
  const home: Asset = {
    body: Buffer.from(page),
    type: TYPES['.html']!,
    etag: `"${digest(page).slice(0, 22)}"`,
    isImmutable: false,
  };
  const policy = policyFor(importMap);

  return (request, response, next) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return next();
    const asset = request.path === '/' ? home : assets.get(request.path);
    if (!asset) return next();
    response.set({
      'content-type': asset.type,
      etag: asset.etag,
      'cache-control': asset.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      'content-security-policy': policy,
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    });
    if (request.get('if-none-match') === asset.etag) return void response.status(304).end();
    response.send(asset.body);
  };
}

/** Scripts, styles and pictures from this port only, and no text ever becomes markup (trusted types), whatever a feature is named. */
function policyFor(importMap: string): string {
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${createHash('sha256').update(importMap).digest('base64')}'`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

function digest(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('base64url');
}
