import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import {
  CANARY,
  runCli,
  startRouter,
  startUpstream,
  type RouterProcess,
  type Upstream,
} from '../support/router.ts';
import { until } from '../support/until.ts';

const yaml = (upstream: string): string => `listen: 127.0.0.1:0
tls: { key: tls.key, cert: tls.crt }
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "${upstream}" }, image-api: { url: "${upstream}" } }
default: monolith
features:
  images: { upstream: image-api, flag: images, key: [{ issue: strangler_id }], routes: [{ match: "GET /images/{id}", effect: read }] }
`;

describe('TLS at the traffic port', () => {
  let dir: string;
  let upstream: Upstream;
  let router: RouterProcess;
  const make = (name: string): void => {
    const files = ['-keyout', join(dir, `${name}.key`), '-out', join(dir, `${name}.crt`)];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
        '-subj',
        `/CN=${name}`,
        ...files,
      ],
      { stdio: 'ignore' },
    );
  };
  const use = (name: string): void =>
    ['key', 'crt'].forEach((kind) => copyFileSync(join(dir, `${name}.${kind}`), join(dir, `tls.${kind}`)));
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'tls-'));
    make('first');
    make('second');
    use('first');
    upstream = await startUpstream('monolith');
    router = await startRouter({ dir, yaml: yaml(upstream.url), flags: CANARY(0) });
  });
  after(async () => {
    await router?.stop();
    await upstream?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** One request on a connection of its own: who the certificate names, and the answer. */
  async function ask(): Promise<{ name: string; answer: string }> {
    const socket = connect({
      port: Number(new URL(router.url).port),
      host: '127.0.0.1',
      rejectUnauthorized: false,
    });
    await once(socket, 'secureConnect');
    const name = socket.getPeerCertificate().subject.CN as string;
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.write('GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n');
    await once(socket, 'close');
    return { name, answer };
  }

  it('answers with the certificate of the config, and takes a renewed one without a restart', async () => {
    assert.match(router.url, /^https:/);
    upstream.handle = (request, response) =>
      response
        .writeHead(200, { 'content-type': 'text/html', 'cache-control': 'private' })
        .end(String(request.headers['x-forwarded-proto']));
    const first = await ask();
    assert.equal(first.name, 'first');
    assert.match(
      first.answer,
      /^HTTP\/1\.1 200 [^]*Set-Cookie: strangler_id=[^;]+;[^\r]*Secure[^]*\r\nhttps\r\n/,
    );
    use('second');
    await until(async () => (await ask()).name === 'second', 'the new certificate');
  });

  it('keeps the old pair when the new one is no good, and does not start on one', async () => {
    writeFileSync(join(dir, 'tls.key'), 'nonsense');
    await until(() => router.output().includes('can not be used; the old ones stay'), 'the complaint');
    assert.equal((await ask()).name, 'second');
    const { code, stderr } = await runCli(
      ['serve', '--config', join(dir, 'strangler.yaml')],
      { ...process.env, DATA_DIR: join(dir, 'other') },
      dir,
    );
    assert.equal(code, 2);
    assert.match(stderr, /tls: the key and the certificate can't be used/);
  });
});
