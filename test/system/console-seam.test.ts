import assert from 'node:assert/strict';
import { button, dialog, useConsole } from '../support/console.ts';

describe('a seam in the console, in Chromium', function () {
  this.timeout(120_000);
  const bed = useConsole();

  it('shows evaluations and comparisons in the place of routes, and is changed like any feature', async () => {
    const { page, faults } = await bed.enter('#/features/mail');
    const evaluated = page.getByRole('region', { name: 'Evaluations' });
    await evaluated.getByText('No request of it passes the router').waitFor();
    assert.equal(await page.getByRole('region', { name: 'Routes' }).count(), 0);

    const post = (path: string, body: object) =>
      bed.router.admin(path, { method: 'POST', body: JSON.stringify(body) });
    for (let n = 0; n < 3; n++)
      await post('/ofrep/v1/evaluate/flags/mail', { context: { targetingKey: `user-${n}` } });
    await evaluated.locator('[data-figure="evaluations monolith"]').getByText('3', { exact: true }).waitFor();
    const difference = {
      subject: '<order-17@shop.example>',
      differences: [{ path: 'subject', default: 'Your order', candidate: '<b>Order</b>' }],
    };
    const { status } = await post('/api/features/mail/observations', {
      observations: [{ side: 'email-api', ok: true, milliseconds: 1, difference }],
    });
    assert.equal(status, 200);
    const parity = page.getByRole('region', { name: 'Parity' });
    await parity.getByText('<order-17@shop.example>').waitFor();
    await parity.getByText('<b>Order</b>').waitFor();

    await button(page, 'Promote').click();
    await dialog(page).getByText('All work of mail is done by email-api').waitFor();
    await dialog(page).getByLabel('Why').fill('a test');
    await dialog(page).getByRole('button', { name: 'Promote' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    assert.equal((await bed.router.admin('/api/features/mail')).body['stage'], 'live');
    assert.deepEqual(faults, []);
    await page.context().close();
  });
});
