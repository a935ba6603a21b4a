import assert from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, openPage, widthOf } from '../support/chromium.ts';
import { startShop, type Shop } from '../support/shop.ts';

/** The storefront through the router in a real browser, as a customer sees it. */
describe('the storefront in Chromium', function () {
  this.timeout(120_000);
  let shop: Shop;
  let browser: Browser;
  before(async () => {
    shop = await startShop();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await shop?.stop();
  });

  const open = (width: number): ReturnType<typeof openPage> =>
    openPage(browser, { viewport: { width, height: 900 } });

  /** Pictures that are not there, after all of them had their chance to load. Run in the page, hence as text. */
  const broken = (page: Page): Promise<string[]> =>
    page.evaluate<string[]>(`(async () => {
      const pictures = [...document.images];
      for (const picture of pictures) picture.loading = 'eager';
      await Promise.all(pictures.map((picture) => picture.decode().catch(() => {})));
      return pictures.filter((picture) => picture.naturalWidth === 0).map((picture) => picture.src);
    })()`);

  for (const percent of [0, 100]) {
    it(`shows every picture with ${percent} % on the service, without an error`, async () => {
      assert.equal((await shop.cli('shift', 'images', String(percent), '--why', 'a test')).code, 0);
      const { page, faults } = await open(1280);
      // The second visit has the cookie that the first page handed out.
      for (let visit = 0; visit < 2; visit++) {
        await page.goto(shop.url);
        assert.ok((await page.locator('img').count()) >= 8);
        assert.deepEqual(await broken(page), []);
      }
      assert.deepEqual(faults, []);
      await page.close();
    });
  }

  it('fits a phone: nothing wider than the screen, everything to tap big enough', async () => {
    const { page, faults } = await open(360);
    for (const path of ['/', '/products/1', '/login']) {
      await page.goto(shop.url + path);
      assert.ok((await widthOf(page)) <= 360, `${path} is wider than the screen`);
      const boxes = await Promise.all(
        (await page.locator('button:visible, input:visible').all()).map((each) => each.boundingBox()),
      );
      const small = boxes.filter((box) => box !== null && box.height < 32);
      assert.deepEqual(small, [], path);
    }
    assert.deepEqual(faults, []);
    await page.close();
  });

  it('lets a customer log in, upload a picture and order', async () => {
    const { page, faults } = await open(1280);
    await page.goto(`${shop.url}/login`);
    await page.fill('input[name=email]', 'demo@example.com');
    await page.fill('input[name=password]', 'demo');
    await page.click('form[action="/login"] button');
    await page.goto(`${shop.url}/products/1`);
    await page.click('form[action="/orders"] button');
    await page.waitForURL(/\/orders\/\d+/);
    assert.match((await page.textContent('main')) ?? '', /order/i);
    assert.deepEqual(faults, []);
    await page.close();
  });
});
