import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { startSeam, type SeamBed } from '../ofrep/testbed.ts';
import type { MismatchJson, ParityJson } from './protocol.ts';

const PATH = '/api/features/mail/observations';

describe('observations of a seam', () => {
  let bed: SeamBed;
  const told: string[] = [];
  beforeEach(async () => {
    told.length = 0;
    bed = await startSeam({ defaultAnswered: (feature) => told.push(feature) });
  });
  afterEach(() => bed.close());

  const seen = { side: 'email-api', ok: true, milliseconds: 12.5 };
  const differing = (subject: string, differences: object[]): object => ({
    ...seen,
    difference: { subject, differences },
  });
  const report = async (...observations: unknown[]): Promise<void> => {
    const { status, body } = await bed.post(PATH, { observations });
    assert.equal(status, 200, JSON.stringify(body));
  };
  const parity = async (): Promise<ParityJson> => {
    const headers = { authorization: `Bearer ${bed.token}` };
    return (await (await fetch(`${bed.url}/api/features/mail/parity`, { headers })).json()) as ParityJson;
  };

  it('feed the parity that the feature shows', async () => {
    await report(
      { ...seen, parity: 'match', count: 40 },
      { ...seen, parity: 'incomparable' },
      { ...seen, parity: 'mismatch' },
      differing('<order-17@shop.example>', [
        { path: 'subject', default: 'Your order 17', candidate: 'Order 17' },
        { path: 'html', default: '<p>' },
        { path: 'totals.items[3].cents', default: 4999, candidate: null },
      ]),
    );
    const { counts, sample, mismatches } = await parity();
    assert.deepEqual(counts, { match: 40, mismatch: 2, ignored: 0, incomparable: 1 });
    assert.equal(sample, 0.25);
    const [{ id, at, ...mismatch }] = mismatches as [MismatchJson];
    assert.ok(id && Date.parse(at));
    assert.deepEqual(mismatch, {
      method: '',
      path: '<order-17@shop.example>',
      route: '',
      primary: 'monolith',
      shadow: 'email-api',
      kind: 'json',
      place: 'subject',
      differences: [
        { kind: 'json', where: 'subject', primary: 'Your order 17', shadow: 'Order 17' },
        { kind: 'json', where: 'html', primary: '<p>' },
        { kind: 'json', where: 'totals.items[3].cents', primary: 4999, shadow: null },
      ],
    });
  });

  it('keep no secrets, no long texts and no more than the newest of a kind', async () => {
    const long = 'x'.repeat(5000);
    await report(
      differing('/reset?token=abcdef', [
        { path: 'links.resetToken', default: 'abcdef', candidate: 'ghijkl' },
        { path: 'text', default: long, candidate: 'short' },
        ...Array.from({ length: 150 }, (_, n) => ({ path: `p${n}`, default: n })),
      ]),
    );
    const text = JSON.stringify(await parity());
    assert.ok(!/abcdef|ghijkl/.test(text), text.slice(0, 400));
    const [first] = (await parity()).mismatches as [MismatchJson];
    assert.equal(first.differences.length, 50);
    assert.ok(String(first.differences[1]!.primary).length < 400);
    for (let n = 0; n < 300; n++) await report(differing(`<${n}>`, [{ path: 'subject', default: n }]));
    const { counts, mismatches } = await parity();
    assert.equal(counts.mismatch, 301);
    assert.ok(mismatches.length < 100, `${mismatches.length} are kept`);
    assert.equal(mismatches[0]!.path, '<299>');
    assert.ok(
      mismatches.some(({ place }) => place === 'links.resetToken'),
      'a frequent one pushes out no rare one',
    );
  });

  it('of the default side are evidence that it is still needed; of the shadow they are only parity', async () => {
    await report({ ...seen, side: 'monolith', shadow: true, parity: 'match' }, seen);
    assert.deepEqual(told, []);
    await report({ ...seen, side: 'monolith' });
    assert.deepEqual(told, ['mail']);
    bed.clock.now += 1000;
    const headers = { authorization: `Bearer ${bed.token}` };
    const history = (await (await fetch(`${bed.url}/api/history`, { headers })).json()) as {
      moments: { features: { name: string; sides: { upstream: string; rate: number }[] }[] }[];
    };
    const rates = history.moments
      .at(-1)!
      .features.find(({ name }) => name === 'mail')!
      .sides.map(({ upstream, rate }) => [upstream, rate]);
    assert.deepEqual(rates, [
      ['monolith', 0.2],
      ['email-api', 0.2],
    ]);
  });

  it('are refused with what is wrong in them', async () => {
    for (const [observation, said] of [
      [{ ...seen, side: 'image-api' }, /side.*monolith.*email-api/],
      [differing('', [{ path: 'a' }]), /difference\.subject/],
      [differing('<1>', []), /difference\.differences/],
      [differing('<1>', [{ path: 'a', default: {} }]), /differences\.0\.default/],
      [differing('<1>', [{ path: 'a', more: 1 }]), /more/],
      [{ ...differing('<1>', [{ path: 'a' }]), parity: 'match' }, /parity: is mismatch/],
    ] as const) {
      const { status, body } = await bed.post(PATH, { observations: [observation] });
      assert.equal(status, 400, JSON.stringify(observation));
      assert.match(String(body['detail']), said);
    }
    assert.deepEqual((await parity()).counts, { match: 0, mismatch: 0, ignored: 0, incomparable: 0 });
    assert.equal((await bed.post('/api/features/post/observations', { observations: [seen] })).status, 404);
    assert.equal((await bed.post('/api/features/%zz/observations', { observations: [seen] })).status, 400);
  });

  it('never make the router fail, whatever they are', async () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    const observation = fc.record(
      {
        side: fc.constantFrom('monolith', 'email-api', 'mars'),
        ok: fc.oneof(fc.boolean(), json),
        milliseconds: fc.oneof(fc.double(), json),
        parity: fc.oneof(fc.constantFrom('match', 'mismatch', null), json),
        count: fc.oneof(fc.integer({ min: 1, max: 9 }), json),
        difference: fc.oneof(
          fc.record({
            subject: fc.string({ unit: 'binary' }),
            differences: fc.array(
              fc.record({ path: fc.string(), default: json, candidate: json }, { requiredKeys: ['path'] }),
            ),
          }),
          json,
        ),
      },
      { requiredKeys: ['side'] },
    );
    const body = fc.oneof(json, fc.string(), fc.record({ observations: fc.array(observation) }));
    await fc.assert(
      fc.asyncProperty(body, async (sent) => assert.ok((await bed.post(PATH, sent ?? 'null')).status < 500)),
      { numRuns: 300 },
    );
    await parity();
  });
});
