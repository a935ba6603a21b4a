import assert from 'node:assert/strict';
import type { Browser } from 'playwright-core';
import { document } from '../../extracted/image-api/openapi/document.ts';
import { launchChromium, openPage } from '../support/chromium.ts';
import { openImageSides, type ImageSides } from '../support/image-sides.ts';
import { operationsOf, type OpenApi } from '../support/openapi-answers.ts';

describe('the image-api’s /docs, in Chromium', function () {
  this.timeout(120_000);
  let sides: ImageSides;
  let browser: Browser;
  before(async () => {
    sides = await openImageSides();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await sides?.close();
  });

  it('shows every operation, asks nobody else, and sends a request that is tried', async () => {
    const { page, faults } = await openPage(browser, { viewport: { width: 1280, height: 900 } });
    const elsewhere: string[] = [];
    const { url } = sides.ownImageApi;
    page.on('request', (request) => {
      if (!/^(?:data|blob):/.test(request.url()) && !request.url().startsWith(`${url}/`))
        elsewhere.push(request.url());
    });
    await page.goto(`${url}/docs`);
    await page.locator('.opblock').first().waitFor();
    const shown = await page.evaluate<string[]>(
      `[...document.querySelectorAll('.opblock')].map((block) => block.querySelector('.opblock-summary-method').textContent.toLowerCase()
        + ' ' + block.querySelector('[data-path]').dataset.path)`,
    );
    assert.deepEqual(shown.toSorted(), operationsOf(document as unknown as OpenApi));
    const live = page.locator('#operations-operating-live');
    await live.locator('.opblock-summary-control').click();
    await live.getByText('Try it out').click();
    await live.getByRole('button', { name: 'Execute' }).click();
    await live.locator('.live-responses-table').getByText('"live"').waitFor();
    assert.deepEqual(faults, []);
    assert.deepEqual(elsewhere, []);
    await page.context().close();
  });
});
