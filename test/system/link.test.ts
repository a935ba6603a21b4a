import assert from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, openPage } from '../support/chromium.ts';
import { startShop, type Shop } from '../support/shop.ts';

/** A tester's link, opened in a real browser. */
describe('strangler link in Chromium', function () {
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

  /** Who answered the pictures of a page that was opened afresh, by what the browser's own tools see. */
  async function sidesOf(page: Page): Promise<string[]> {
    const sides: string[] = [];
    const listen = (response: { url(): string; headers(): Record<string, string> }): void => {
      if (/\/images\/\d+/.test(response.url()))
        sides.push(response.headers()['server-timing'] ?? 'nobody says');
    };
    page.on('response', listen);
    await page.goto(`${shop.url}/products/1`);
    await page.locator('img').first().waitFor();
    await page.waitForLoadState('networkidle');
    page.removeListener('response', listen);
    assert.ok(sides.length > 0, 'the page has pictures');
    return sides;
  }

  it('gives one browser the service at stage off, and the next one nothing', async () => {
    const off = await shop.cli('rollback', 'images', '--to', 'off', '--why', 'a test');
    assert.equal(off.code, 0, off.stderr);
    const { stdout, code, stderr } = await shop.cli('link', 'images', '--side', 'image-api');
    assert.equal(code, 0, stderr);
    const link = /https?:\/\/\S+/.exec(stdout)![0];
    const tester = await openPage(browser, {});
    await tester.page.goto(link);
    for (const side of await sidesOf(tester.page)) assert.match(side, /image-api/);
    const other = await openPage(browser, {});
    for (const side of await sidesOf(other.page)) assert.match(side, /monolith/);
    for (const side of await sidesOf(tester.page)) assert.match(side, /image-api/, 'and it stays so');
    assert.deepEqual([...tester.faults, ...other.faults], []);
    await tester.page.context().close();
    await other.page.context().close();
  });
});
