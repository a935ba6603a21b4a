import assert from 'node:assert/strict';
import type { FeatureJson, JournalJson, ParityJson } from '../../router/admin/protocol.ts';
import { RENDERED, useSeam } from '../support/seam.ts';

for (const workers of [1, 2])
  describe(`a seam, asked for with OpenFeature’s SDK (workers: ${workers})`, function () {
    this.timeout(90_000);
    const bed = useSeam(workers);

    it('goes through its stages like any feature, each change in force when it is answered', async () => {
      const off = await bed.side('ana');
      assert.deepEqual(
        [off.value, off.reason, off.flagMetadata['stage'], off.flagMetadata['shadow']],
        ['monolith', 'STATIC', 'off', false],
      );
      await bed.change('promote');
      assert.equal((await bed.side('ana')).flagMetadata['shadow'], true);
      const { status, body: refused } = await bed.router.change('/mail/promote', {});
      assert.equal(status, 422, JSON.stringify(refused));
      assert.equal(await bed.observe(RENDERED), 200);
      await bed.change('promote');
      assert.deepEqual(await bed.served(), [], 'canary begins at 0 %');

      const shares: string[][] = [];
      for (const percent of [10, 25, 60]) {
        await bed.change('split', { percent });
        shares.push(await bed.served());
      }
      for (const [index, share] of shares.entries()) {
        assert.ok(share.length > [10, 25, 60][index]! * 0.4, `${share.length}`);
        for (const key of shares[index - 1] ?? []) assert.ok(share.includes(key), 'raising only adds keys');
      }
      const { reason, flagMetadata } = await bed.side(shares[0]![0]!);
      assert.deepEqual([reason, flagMetadata['stage'], flagMetadata['shadow']], ['SPLIT', 'canary', false]);

      await bed.change('kill');
      assert.deepEqual(await bed.served(), []);
      assert.equal((await bed.side('ana')).reason, 'DISABLED');
      await bed.change('resume');
      assert.deepEqual(await bed.served(), shares[2]);
      await bed.change('rollback');
      assert.deepEqual(await bed.served(), []);
      await bed.change('split', { percent: 100 });
      await bed.observe(RENDERED);
      await bed.change('promote');
      assert.deepEqual([(await bed.served()).length, (await bed.side('ana')).reason], [100, 'STATIC']);

      const { entries } = (await bed.router.admin('/api/journal?feature=mail'))
        .body as unknown as JournalJson;
      assert.deepEqual(entries.map(({ action }) => action).toReversed(), [
        'found',
        'promote',
        'promote',
        'shift',
        'shift',
        'shift',
        'kill',
        'resume',
        'rollback',
        'shift',
        'promote',
      ]);
      const [explained, carried] = [
        await bed.router.admin('/api/explain?feature=mail&key=ana'),
        await fetch(`${bed.router.url}/mail`),
      ];
      assert.deepEqual([explained.body['upstream'], explained.body['reason']], ['email-api', 'STAGE']);
      assert.equal(carried.headers.get('x-served-by'), 'monolith', 'a seam takes no request');
    });

    it('is in the CLI and the API as other features are', async () => {
      await bed.change('promote');
      assert.equal(
        await bed.observe({
          ...RENDERED,
          parity: 'mismatch',
          count: 1,
          difference: {
            subject: '<order-17@shop.example>',
            differences: [
              { path: 'subject', default: 'Your order', candidate: 'Order' },
              { path: 'text', default: `${'so '.repeat(30)}far`, candidate: `${'so '.repeat(30)}near` },
            ],
          },
        }),
        200,
      );
      await bed.observe({ ...RENDERED, count: 99 });
      await bed.side('ana');
      const parity = (await bed.router.admin('/api/features/mail/parity')).body as unknown as ParityJson;
      assert.deepEqual([parity.counts.match, parity.counts.mismatch, parity.mismatches.length], [99, 1, 1]);
      const feature = (await bed.router.admin('/api/features/mail')).body as unknown as FeatureJson;
      assert.deepEqual([feature.kind, feature.routes, feature.evaluations], ['seam', [], { monolith: 1 }]);

      // Each is a process of its own.
      if (workers === 1) return;
      for (const [args, code, said] of [
        [['status'], 0, /mail +shadow +0 % +enabled +none +email-api +shop-team/],
        [['parity', 'mail'], 0, /99\.00 %[^]*<order-17@shop\.example> +monolith +subject +Your order +Order/],
        [['parity', 'mail'], 0, /text +…[so ]+ far +…[so ]+ near$/m],
        [['parity', 'mail', '--check'], 1, /differ/],
        [['promote', 'mail', '--why', 'they agree'], 0, /canary/],
        [['shift', 'mail', '25', '--why', 'a quarter'], 0, /25 %/],
        [
          ['explain', '--feature', 'mail', '--key', 'ana'],
          0,
          /mail for ana → (monolith|email-api)[^]*BUCKET[^]*25 %/,
        ],
        [['explain', '--feature', 'mail'], 0, /mail, without a key → monolith[^]*NO_KEY/],
        [['explain', '--feature', 'post'], 2, /no feature "post"/],
        [['explain', 'GET', '/x', '--feature', 'mail'], 2, /--feature NAME/],
        [['explain'], 2, /--feature NAME/],
        [['rollback', 'mail', '--why', 'back'], 0, /0 %/],
        [['journal', 'mail'], 0, /back[^]*a quarter[^]*they agree/],
      ] as const) {
        const { code: exit, stdout, stderr } = await bed.router.cli(...args);
        assert.equal(exit, code, `${args.join(' ')}: ${stdout}${stderr}`);
        assert.match(stdout + stderr, said, args.join(' '));
      }
    });
  });
