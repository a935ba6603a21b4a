import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import type { HistoryJson } from '../../router/admin/protocol.ts';
import { launchChromium, openPage } from '../support/chromium.ts';
import { button, dialog } from '../support/console.ts';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { until } from '../support/until.ts';

const TOKEN = 'a-token-for-the-migration-test';
/** Set: pictures of the pages are put into docs/. */
const KEPT = process.env['SCREENSHOTS'] ? resolve(import.meta.dirname, '../../docs') : null;

const yaml = (monolith: string, service: string): string => `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "${monolith}" }, image-api: { url: "${service}" } }
default: monolith
features:
  images:
    owner: media-team
    upstream: image-api
    flag: images
    key: [{ header: x-user-id }]
    routes: [{ match: "GET /images/{id}", effect: read }]
    shadow: { sample: 20%, compare: image }
    gates: [{ metric: parity, min: 0.995 }, { metric: errorRate, maxDelta: 0.005 }, { metric: p95, maxRatio: 1.2 }]
    ramp: { steps: [1, 5, 25, 50, 100], hold: 10m }
`;

/** A chair, or the same mirrored. */
async function picture(isMirrored: boolean): Promise<Buffer> {
  // Of boxes, not as SVG: whoever loads the services has forbidden the codec all that they do not need.
  const box = (left: number, top: number, width: number, height: number, background: string) => ({
    input: { create: { width, height, channels: 3 as const, background } },
    left,
    top,
  });
  const drawn = sharp(
    await sharp({ create: { width: 480, height: 480, channels: 3, background: '#e8e2d6' } })
      .composite([
        box(150, 90, 40, 290, '#7a4b2a'),
        box(190, 250, 140, 30, '#7a4b2a'),
        box(296, 280, 34, 100, '#7a4b2a'),
        box(360, 60, 60, 60, '#d9a441'),
      ])
      .png()
      .toBuffer(),
  );
  return await (isMirrored ? drawn.flop() : drawn).jpeg({ quality: 80 }).toBuffer();
}

/** A migration watched and steered in a browser, with traffic that goes on. */
describe('a migration in the console, in Chromium', function () {
  this.timeout(240_000);
  let monolith: Upstream;
  let service: Upstream;
  let router: RouterProcess;
  let browser: Browser;
  let isOver = false;
  let traffic: Promise<unknown> = Promise.resolve();
  before(async () => {
    [monolith, service] = await Promise.all([startUpstream('monolith'), startUpstream('image-api')]);
    const [right, mirrored] = await Promise.all([picture(false), picture(true)]);
    const answer =
      (bytesOf: (path: string) => Buffer): Upstream['handle'] =>
      (request, response) =>
        response.setHeader('content-type', 'image/jpeg').end(bytesOf(request.url!));
    monolith.handle = answer(() => right);
    service.handle = answer((path) => (path === '/images/7' ? mirrored : right));
    router = await startRouter({
      yaml: yaml(monolith.url, service.url),
      flags: CANARY(30),
      env: { STRANGLER_ADMIN_TOKEN: TOKEN },
    });
    let turn = 0;
    const reader = async (): Promise<void> => {
      while (!isOver) {
        const path = turn % 40 === 39 ? '/images/7' : `/images/${turn % 6}`;
        const headers = { 'x-user-id': `user-${turn++ % 500}` };
        await fetch(router.url + path, { headers }).then((response) => response.arrayBuffer());
      }
    };
    traffic = Promise.all([reader(), reader()]);
    browser = await launchChromium();
    // Pictures for people show a while of traffic.
    if (KEPT !== null)
      await until(async () => (await busySeconds()) >= 120, 'two minutes of traffic', 150_000);
  });
  after(async () => {
    isOver = true;
    await browser?.close();
    await traffic;
    await router?.stop();
    await Promise.all([monolith?.close(), service?.close()]);
  });

  async function busySeconds(): Promise<number> {
    const { moments } = (await router.admin('/api/history')).body as unknown as HistoryJson;
    return 5 * moments.filter(({ features }) => features[0]!.sides.every(({ rate }) => rate! > 0)).length;
  }

  async function enter(colorScheme: 'light' | 'dark'): Promise<{ page: Page; faults: string[] }> {
    const opened = await openPage(browser, { viewport: { width: 1280, height: 900 }, colorScheme });
    const { page } = opened;
    await page.goto(`${router.adminUrl}/#/features/images`);
    await page.getByLabel('Admin token').fill(TOKEN);
    await page.getByLabel('Your name').fill('ana');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('heading', { name: 'images' }).waitFor();
    return opened;
  }

  const keep = async (page: Page, name: string, height: number): Promise<void> => {
    if (KEPT === null) return;
    mkdirSync(KEPT, { recursive: true });
    const { width } = page.viewportSize()!;
    await page.evaluate('scrollTo(0, 0)');
    await page.screenshot({
      path: join(KEPT, `${name}.png`),
      fullPage: true,
      clip: { x: 0, y: 0, width, height },
    });
  };

  it('shows both sides live, and a mismatch with both pictures and what differs', async () => {
    const { page, faults } = await enter('light');
    // What is drawn, as text: it changes with every second of traffic.
    const drawn = (): Promise<string[]> =>
      page.evaluate<string[]>(`[...document.querySelectorAll('canvas')].map((each) => each.toDataURL())`);
    await page.locator('canvas').first().waitFor();
    const before = await drawn();
    assert.equal(before.length, 2, 'rate and p95');
    await until(async () => (await drawn())[0] !== before[0], 'the chart to move');
    const example = page.getByRole('region', { name: 'Parity' }).locator('details').first();
    await example.getByText('/images/7').waitFor();
    for (const which of ['primary', 'shadow', 'difference']) {
      const image = example.getByAltText(`${which} picture of /images/7`);
      await image.scrollIntoViewIfNeeded();
      await until(
        async () =>
          (await image.evaluate((shown) => (shown as unknown as { naturalWidth: number }).naturalWidth)) > 0,
        `the ${which} picture`,
      );
    }
    await keep(page, 'console', 1620);
    assert.deepEqual(faults, []);
    await page.context().close();
  });

  it('shifts the split and rolls back while the chart goes on', async () => {
    const { page, faults } = await enter('dark');
    const share = async (): Promise<unknown> => (await router.admin('/api/features/images')).body['percent'];
    await page.getByLabel('Share in percent').fill('60');
    await page.getByRole('button', { name: 'Shift' }).click();
    await dialog(page).getByLabel('Why').fill('more of them');
    await dialog(page).getByRole('button', { name: 'Shift' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    assert.equal(await share(), 60);
    await until(() => service.seen.length > 0 && monolith.seen.length > 0, 'both sides to be asked');
    await page.getByRole('status').filter({ hasText: 'Shift: done' }).waitFor({ state: 'detached' });
    await page.setViewportSize({ width: 390, height: 844 });
    await keep(page, 'console-phone', 1400);
    await page.setViewportSize({ width: 1280, height: 900 });
    await button(page, 'Roll back').click();
    await dialog(page).getByLabel('Why').fill('enough');
    await dialog(page).getByRole('button', { name: 'Roll back' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    assert.equal(await share(), 0);
    assert.deepEqual(faults, []);
    await page.context().close();
  });
});
