import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openPage, widthOf } from '../support/chromium.ts';
import { ODD_NAME, TOKEN, button, dialog, useConsole } from '../support/console.ts';
import { until } from '../support/until.ts';

describe('how the console looks and behaves, in Chromium', function () {
  this.timeout(120_000);
  const bed = useConsole();

  it('is worked by keyboard alone, and puts the focus back', async () => {
    const { page, faults } = await openPage(bed.browser, {});
    await page.goto(bed.router.adminUrl);
    await page.getByLabel('Admin token').and(page.locator(':focus')).waitFor();
    await page.keyboard.type(TOKEN);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'images', exact: true }).waitFor();
    const focused = (): Promise<string> =>
      page.evaluate<string>(`document.activeElement.matches(':focus-visible') || document.activeElement === document.body
        ? document.activeElement.textContent.trim() : 'a focus that can not be seen'`);
    const tabTo = async (name: string): Promise<void> => {
      for (let presses = 0; presses < 40; presses++) {
        await page.keyboard.press('Tab');
        if ((await focused()) === name) return;
      }
      assert.fail(`Tab never comes to ${name}`);
    };
    await tabTo('images');
    await page.keyboard.press('Enter');
    await page.locator('h1:focus').waitFor();
    await tabTo('Roll back');
    await page.keyboard.press('Enter');
    await dialog(page).getByLabel('Why').and(page.locator(':focus')).waitFor();
    await page.keyboard.type('by keyboard');
    await tabTo('Roll back');
    await page.keyboard.press('Enter');
    await dialog(page).waitFor({ state: 'detached' });
    assert.equal((await bed.lastEntry())['why'], 'by keyboard');
    await until(async () => (await focused()) === 'Roll back', 'the focus where it was');
    await page.keyboard.press('Enter');
    await dialog(page).waitFor();
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'detached' });
    assert.deepEqual(faults, []);
    await page.context().close();
  });

  it('says that the connection is lost, and goes on by itself', async () => {
    const { page } = await bed.enter('#/features/images');
    await bed.router.kill('SIGKILL');
    await page.getByText('The router can’t be reached').waitFor();
    await bed.restart();
    await page.locator('.connection.live').waitFor({ timeout: 30_000 });
    await page.getByText('The router can’t be reached').waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('shows a file that is rejected, with the line', async () => {
    const { page } = await bed.enter('#/config');
    const path = join(bed.dir, 'strangler.yaml');
    const good = readFileSync(path, 'utf8');
    writeFileSync(path, good.replace('default: monolith', 'default: nobody'));
    await page.getByRole('region', { name: 'Config' }).getByText('rejected').waitFor();
    await page.getByText(/^line \d+$/).waitFor();
    await page.getByRole('navigation').getByText('rejected').waitFor();
    writeFileSync(path, good);
    await page.getByRole('region', { name: 'Config' }).getByText('applied', { exact: true }).waitFor();
    await page.context().close();
  });

  it('shows upstreams with their instances and breakers', async () => {
    const { page } = await bed.enter('#/upstreams');
    const region = page.getByRole('region', { name: 'image-api' });
    await region.getByText(bed.service.url).waitFor();
    await region.getByText('closed').waitFor();
    await page.context().close();
  });

  for (const colorScheme of ['light', 'dark'] as const)
    it(`fits a phone, in ${colorScheme}`, async () => {
      const { page, faults } = await bed.enter('', { width: 360, colorScheme });
      for (const place of [
        'features',
        'features/images',
        `features/${encodeURIComponent(ODD_NAME)}`,
        'journal',
        'upstreams',
        'config',
      ]) {
        await page.goto(`${bed.router.adminUrl}/#/${place}`);
        await page.locator('main .card').first().waitFor();
        assert.ok((await widthOf(page)) <= 360, `${place} is ${await widthOf(page)} wide`);
      }
      await page.goto(`${bed.router.adminUrl}/#/features/images`);
      await button(page, 'Kill').click();
      const box = await dialog(page).boundingBox();
      assert.ok(box && box.x >= 0 && box.x + box.width <= 360);
      const dark = await page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
      const [red = 0] = dark.match(/\d+/g)!.map(Number);
      assert.equal(red < 128, colorScheme === 'dark');
      assert.deepEqual(faults, []);
      await page.context().close();
    });
});
