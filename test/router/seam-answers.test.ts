import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KEYS, RENDERED, useSeam } from '../support/seam.ts';
import { until } from '../support/until.ts';

for (const workers of [1, 2])
  describe(`what a seam’s application is told (workers: ${workers})`, () => {
    const bed = useSeam(workers);

    it('is retired when nothing was left to the default side for long enough', async () => {
      await bed.change('promote');
      for (let steps = 0; steps < 2; steps++) {
        await bed.observe(RENDERED);
        await bed.change('promote');
      }
      const started = Date.now();
      assert.equal(await bed.observe({ side: 'monolith', ok: true, milliseconds: 1 }), 200);
      const { status, body } = await bed.router.change('/mail/promote', {});
      assert.equal(status, 422);
      assert.match(String(body['detail']), /last answered mail/);
      // Who asks while it is killed is left to the default side too.
      await bed.change('kill');
      const killed = Date.now();
      assert.equal((await bed.side('ana')).value, 'monolith');
      await bed.change('resume');
      let last = '';
      const isRetired = async (): Promise<boolean> => {
        const answer = await bed.router.change('/mail/promote', {});
        last = JSON.stringify(answer.body);
        return answer.status === 200;
      };
      await until(isRetired, () => `it to be retired; it says ${last}`);
      assert.ok(Date.now() >= killed + 2000, 'the answer of the kill counts');
      assert.deepEqual(
        [(await bed.side('ana')).value, (await bed.side('ana')).reason],
        ['email-api', 'STATIC'],
      );
      assert.equal((await bed.router.change('/mail/kill', {})).status, 409);
      await bed.router.kill('SIGTERM');
      const kept = (
        JSON.parse(readFileSync(join(bed.router.dir, '.data/evidence.json'), 'utf8')) as { mail: number }
      ).mail;
      assert.ok(kept >= started && kept >= killed, 'and is kept over a restart');
    });

    it('tells nothing to whoever has no token, and the SDK goes on with the default', async () => {
      assert.equal(statSync(join(bed.router.dir, '.data/app-token')).mode & 0o777, 0o600);
      await bed.use('wrong');
      const { value, errorCode } = await bed.side('ana');
      assert.deepEqual([value, errorCode], ['the-default', 'GENERAL']);
      await bed.use(bed.router.token);
      assert.equal((await bed.side('ana')).value, 'monolith');
      const keyless = await bed.client.getStringDetails('mail', 'the-default', {});
      assert.equal(keyless.value, 'monolith', 'off needs no key');
      const unknown = await bed.client.getStringDetails('post', 'the-default', { targetingKey: 'ana' });
      assert.deepEqual([unknown.value, unknown.errorCode], ['the-default', 'FLAG_NOT_FOUND']);
      const wrongType = await bed.client.getBooleanDetails('mail', false, { targetingKey: 'ana' });
      assert.deepEqual([wrongType.value, wrongType.errorCode], [false, 'TYPE_MISMATCH']);
      const asApp = { headers: { authorization: `Bearer ${bed.appToken()}` } };
      assert.equal((await bed.router.admin('/api/status', asApp)).status, 403);
    });

    it('gives a feature with routes the side that its requests get', async () => {
      for (const key of KEYS.slice(0, 20)) {
        const { value } = await bed.client.getStringDetails('pictures', 'x', { targetingKey: key });
        const { upstream } = (
          await bed.router.admin(`/api/explain?path=/images/7&key=${encodeURIComponent(key)}`)
        ).body;
        assert.equal(value, upstream);
      }
    });
  });
