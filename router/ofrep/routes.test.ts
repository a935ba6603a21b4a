import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { startSeam, type SeamBed } from './testbed.ts';

const ALL = '/ofrep/v1/evaluate/flags';
const ONE = `${ALL}/mail`;

describe('the evaluation protocol (OFREP)', () => {
  let bed: SeamBed;
  before(async () => (bed = await startSeam()));
  after(() => bed.close());
  beforeEach(() => bed.set('canary', 50));

  it('says what is wrong in the protocol’s words', async () => {
    const long = 'x'.repeat(20_000);
    for (const [path, body, status, errorCode, details] of [
      [`${ALL}/post`, {}, 404, 'FLAG_NOT_FOUND', /"post"/],
      [`${ALL}/images`, {}, 404, 'FLAG_NOT_FOUND', /"images"/],
      [`${ALL}/constructor`, {}, 404, 'FLAG_NOT_FOUND', /constructor/],
      [ONE, {}, 400, 'TARGETING_KEY_MISSING', /the default, monolith/],
      [ONE, '', 400, 'TARGETING_KEY_MISSING', /targetingKey/],
      [ONE, { context: { targetingKey: '' } }, 400, 'TARGETING_KEY_MISSING', /targetingKey/],
      [ONE, { context: { targetingKey: 7 } }, 400, 'INVALID_CONTEXT', /targetingKey/],
      [ONE, { context: { targetingKey: 'x'.repeat(1025) } }, 400, 'INVALID_CONTEXT', /1024/],
      [ONE, { context: 'ana' }, 400, 'INVALID_CONTEXT', /not an object/],
      [ONE, { context: null }, 400, 'INVALID_CONTEXT', /not an object/],
      [ONE, [], 400, 'PARSE_ERROR', /not an object/],
      [ONE, '{"context":', 400, 'PARSE_ERROR', /JSON/],
      [ONE, '"ana"', 400, 'PARSE_ERROR', /JSON|read/],
      [ONE, { context: { targetingKey: 'a', long } }, 400, 'PARSE_ERROR', /16384/],
      [`${ALL}/%zz`, {}, 400, 'PARSE_ERROR', /decode/],
    ] as const) {
      const answer = await bed.post(path, body);
      const said = `${path} ${JSON.stringify(body).slice(0, 60)} ${JSON.stringify(answer.body)}`;
      assert.deepEqual([answer.status, answer.body['errorCode']], [status, errorCode], said);
      assert.match(String(answer.body['errorDetails']), details, said);
      assert.equal(answer.body['key'], path.slice(ALL.length + 1));
    }
  });

  it('needs no key where no share decides', async () => {
    for (const [stage, weight, side] of [
      ['off', 0, 'monolith'],
      ['shadow', 0, 'monolith'],
      ['live', 100, 'email-api'],
    ] as const) {
      bed.set(stage, weight);
      const { status, body } = await bed.post(ONE, {});
      assert.deepEqual([status, body['value']], [200, side]);
    }
  });

  it('answers all flags at once, and says when they are still the same', async () => {
    const asked = { context: { targetingKey: 'ana' } };
    const first = await bed.post(ALL, asked);
    assert.equal(first.status, 200);
    const flags = first.body['flags'] as { key: string; metadata: { shadow: boolean } }[];
    assert.deepEqual(
      flags.map(({ key, metadata }) => [key, metadata.shadow]),
      [
        ['pictures', false],
        ['mail', false],
      ],
    );
    for (const tags of [first.etag!, `"other", W/${first.etag}`, '*']) {
      const again = await bed.post(ALL, asked, { 'if-none-match': tags });
      assert.deepEqual([again.status, again.etag, again.body], [304, first.etag, {}]);
    }
    bed.set('canary', 51);
    const changed = await bed.post(ALL, asked, { 'if-none-match': first.etag! });
    assert.equal(changed.status, 200);
    assert.notEqual(changed.etag, first.etag);
    const keyless = await bed.post(ALL, {});
    assert.deepEqual(
      (keyless.body['flags'] as { key: string; errorCode: string }[]).map(({ key, errorCode }) => [
        key,
        errorCode,
      ]),
      [
        ['pictures', 'TARGETING_KEY_MISSING'],
        ['mail', 'TARGETING_KEY_MISSING'],
      ],
    );
    const wrong = await bed.post(ALL, { context: 3 });
    assert.deepEqual([wrong.status, wrong.body['errorCode']], [400, 'INVALID_CONTEXT']);
  });

  it('lets in with the token of applications or the admin’s, and with nothing else', async () => {
    for (const path of [ONE, ALL]) {
      const { status } = await bed.post(
        path,
        { context: { targetingKey: 'a' } },
        { authorization: `Bearer ${bed.token}` },
      );
      assert.equal(status, 200);
      for (const authorization of ['Bearer wrong', `Basic ${bed.appToken}`, 'Bearer ', ''])
        assert.equal((await bed.post(path, {}, { authorization })).status, 401, authorization);
      const none = await fetch(bed.url + path, { method: 'POST', body: '{}' });
      assert.equal(none.status, 401);
      assert.match(none.headers.get('www-authenticate') ?? '', /^Bearer/);
      await none.text();
    }
  });

  it('takes what a computed rule can do nothing with', async () => {
    bed.set('canary', 50, { targeting: { if: [{ var: 'side' }, { var: 'side' }, 'monolith'] } });
    for (const side of [{ toString: 1 }, 'mars', 7, [], ['monolith'], { a: 1 }, '#bucket', 'constructor']) {
      const { status, body } = await bed.post(ONE, { context: { targetingKey: 'a', side } });
      const isSide = status === 200 && ['monolith', 'email-api'].includes(String(body['value']));
      assert.ok(isSide || body['errorCode'] === 'INVALID_CONTEXT', JSON.stringify([side, status, body]));
    }
    const chosen = await bed.post(ONE, { context: { targetingKey: 'a', side: 'email-api' } });
    assert.equal(chosen.body['value'], 'email-api');
  });

  it('never fails, whatever it is sent', async () => {
    const targeting = {
      if: [
        { '==': [{ var: 'a' }, { var: 'b.c' }] },
        'email-api',
        { sem_ver: [{ var: 'a' }, '>=', '1.0.0'] },
        'monolith',
        {
          fractional: [
            ['email-api', 50],
            ['monolith', 50],
          ],
        },
      ],
    };
    bed.set('canary', 50, { targeting });
    const json = fc.jsonValue({ maxDepth: 4 });
    const body = fc.oneof(
      json,
      fc.string(),
      fc.record({ context: json }),
      fc.record({
        context: fc.record(
          { targetingKey: fc.string({ unit: 'binary' }), a: json, b: json },
          { requiredKeys: [] },
        ),
      }),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    );
    const key = fc.oneof(
      fc.constantFrom('mail', 'pictures', '', '..', '%00', '%', 'a/b', '__proto__'),
      fc.webSegment(),
    );
    const type = fc.constantFrom('application/json', 'text/plain', 'application/json; charset=utf-16', 'x');
    await fc.assert(
      fc.asyncProperty(body, key, type, async (sent, name, contentType) => {
        const { status } = await bed.post(`${ALL}/${name}`, sent ?? 'null', { 'content-type': contentType });
        assert.ok(status < 500, `${status}`);
      }),
      { numRuns: 400 },
    );
  });
});
