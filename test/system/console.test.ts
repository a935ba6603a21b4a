import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { freePorts } from '../../tools/processes.ts';
import { launchChromium, openPage, widthOf } from '../support/chromium.ts';
import { startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { until } from '../support/until.ts';

const ODD_NAME = '<img src=x onerror=1>';
const TOKEN = 'a-token-for-the-console-test';

const yaml = (adminPort: number, monolith: string, service: string): string => `listen: 127.0.0.1:0
admin: { listen: "127.0.0.1:${adminPort}" }
flags: { file: flags.json }
upstreams: { monolith: { url: "${monolith}" }, image-api: { url: "${service}" } }
default: monolith
features:
  images:
    owner: media-team
    upstream: image-api
    flag: images
    key: [{ header: x-user-id }]
    routes:
      - { match: "GET /images/{id}", effect: read }
      - { match: "POST /products/{product}/images", effect: write }
  "${ODD_NAME}": { upstream: image-api, flag: odd, key: [{ header: x-user-id }], routes: [{ match: "GET /odd", effect: read }] }
`;
const flag = (percent: number): object => ({
  state: 'ENABLED',
  variants: { monolith: 'monolith', 'image-api': 'image-api' },
  defaultVariant: 'monolith',
  targeting: {
    fractional: [
      ['image-api', percent],
      ['monolith', 100 - percent],
    ],
  },
  metadata: { stage: 'canary' },
});

/** What an operator does at the console, on a router of its own. Each test begins at canary, 10 %. */
describe('the console in Chromium', function () {
  this.timeout(120_000);
  const dir = mkdtempSync(join(tmpdir(), 'console-'));
  const flags = JSON.stringify({ flags: { images: flag(10), odd: flag(0) } });
  let monolith: Upstream;
  let service: Upstream;
  let router: RouterProcess;
  let browser: Browser;
  let adminPort: number;
  const start = (): Promise<RouterProcess> =>
    startRouter({
      yaml: yaml(adminPort, monolith.url, service.url),
      flags,
      dir,
      env: { STRANGLER_ADMIN_TOKEN: TOKEN },
    });
  before(async () => {
    monolith = await startUpstream('monolith');
    service = await startUpstream('image-api');
    [adminPort] = (await freePorts(1)) as [number];
    router = await start();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await router?.stop();
    await Promise.all([monolith?.close(), service?.close()]);
    rmSync(dir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    if ((await feature())['state'] === 'DISABLED') await router.change('/images/resume', {});
    if ((await feature())['stage'] !== 'canary') await router.change('/images/rollback', { to: 'canary' });
    assert.equal((await router.change('/images/split', { percent: 10 })).status, 200);
  });

  const feature = async (): Promise<Record<string, unknown>> =>
    (await router.admin('/api/features/images')).body;
  const lastEntry = async (): Promise<Record<string, unknown>> =>
    ((await router.admin('/api/journal?limit=1')).body['entries'] as Record<string, unknown>[])[0]!;

  /** Logs in as Ana and goes to a place of the console. */
  async function enter(
    hash: string,
    { width = 1280, colorScheme = 'light' }: { width?: number; colorScheme?: 'light' | 'dark' } = {},
  ): Promise<{ page: Page; faults: string[] }> {
    const opened = await openPage(browser, { viewport: { width, height: 800 }, colorScheme });
    const { page } = opened;
    await page.goto(`${router.adminUrl}/${hash}`);
    await page.getByLabel('Admin token').fill(TOKEN);
    await page.getByLabel('Your name').fill('ana');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('live', { exact: true }).and(page.locator('.connection')).waitFor();
    return opened;
  }
  const button = (page: Page, name: string) =>
    page.getByRole('group', { name: 'Actions' }).getByRole('button', { name });
  const dialog = (page: Page) => page.getByRole('dialog');

  it('asks for the token, says when it is wrong, keeps the session over a reload, and ends it', async () => {
    const { page, faults } = await openPage(browser, {});
    await page.goto(router.adminUrl);
    await page.getByLabel('Admin token').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('this is not the token').waitFor();
    assert.ok(
      faults.every((fault) => fault.includes('401')),
      faults.join('\n'),
    );
    await page.getByLabel('Admin token').fill(TOKEN);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'images', exact: true }).waitFor();
    await page.reload();
    await page.getByRole('link', { name: 'images', exact: true }).waitFor();
    assert.equal(await page.evaluate('document.cookie'), '', 'the cookie is not for scripts');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Admin token').waitFor();
    await page.reload();
    await page.getByLabel('Admin token').waitFor();
    await page.context().close();
  });

  it('shows a feature with an odd name as text, everywhere', async () => {
    const { page, faults } = await enter('');
    await page.getByRole('link', { name: ODD_NAME }).click();
    await page.getByRole('heading', { level: 1, name: ODD_NAME }).waitFor();
    await button(page, 'Kill').click();
    await dialog(page)
      .getByRole('heading', { name: `Kill ${ODD_NAME}` })
      .waitFor();
    await dialog(page).getByLabel('Why').fill(`<b>${ODD_NAME}</b>`);
    await dialog(page).getByRole('button', { name: 'Kill' }).click();
    await page.getByText(`${ODD_NAME} is killed`).waitFor();
    await page.goto(`${router.adminUrl}/#/journal`);
    await page.getByText(`<b>${ODD_NAME}</b>`).waitFor();
    assert.equal(await page.locator('img[src=x], main b b').count(), 0);
    assert.deepEqual(faults, []);
    await page.context().close();
  });

  it('shifts the split after asking why, and journals who did it', async () => {
    const { page, faults } = await enter('#/features/images');
    await page.getByLabel('Share in percent').fill('25');
    await page.getByRole('button', { name: 'Shift' }).click();
    await dialog(page)
      .getByText('About 25 % of the keys are answered by image-api, the others by monolith')
      .waitFor();
    const submit = dialog(page).getByRole('button', { name: 'Shift' });
    await submit.click();
    assert.equal(await dialog(page).isVisible(), true, 'nothing is done without a reason');
    assert.equal((await feature())['percent'], 10);
    await dialog(page).getByLabel('Why').fill('a quiet weekend');
    await submit.click();
    await page.getByRole('img', { name: 'image-api 25 %, monolith 75 %' }).waitFor();
    await dialog(page).waitFor({ state: 'detached' });
    assert.equal((await feature())['percent'], 25);
    const { who, why, action, ungated } = await lastEntry();
    assert.deepEqual(
      { who, why, action, ungated },
      { who: 'ana', why: 'a quiet weekend', action: 'shift', ungated: true },
    );
    await page.getByText('a quiet weekend').waitFor();
    assert.deepEqual(faults, []);
    await page.context().close();
  });

  it('rolls back, kills and resumes, and shows the new state at once', async () => {
    const { page, faults } = await enter('#/features/images');
    const act = async (name: string, consequence: string): Promise<void> => {
      await button(page, name).click();
      await dialog(page).getByText(consequence).waitFor();
      await dialog(page).getByLabel('Why').fill(`to see ${name}`);
      await dialog(page).getByRole('button', { name }).click();
      await dialog(page).waitFor({ state: 'detached' });
    };
    await act('Roll back', 'Every request of images is answered by monolith at once');
    await page.getByRole('img', { name: 'image-api 0 %, monolith 100 %' }).waitFor();
    assert.equal((await feature())['percent'], 0);
    await act('Kill', 'Every request of images is answered by monolith at once, whatever');
    await page.locator('.mark', { hasText: 'killed' }).first().waitFor();
    assert.equal((await feature())['state'], 'DISABLED');
    await act('Resume', 'The kill of images is undone');
    await until(async () => (await feature())['state'] === 'ENABLED', 'the end of the kill');
    await act(
      'Promote',
      'Every request of images is answered by image-api; monolith answers the reads it fails at.',
    );
    await page.getByRole('list', { name: 'Stage: live' }).waitFor();
    assert.deepEqual(faults, []);
    // What the router refuses is said with its reason, and nothing is done.
    await button(page, 'Promote').click();
    await dialog(page).getByLabel('Why').fill('too early');
    await dialog(page).getByRole('button', { name: 'Promote' }).click();
    await dialog(page).getByRole('alert').getByText(/\w{4}/).waitFor();
    assert.equal((await feature())['stage'], 'live');
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('does not undo what somebody else did meanwhile', async () => {
    const { page } = await enter('#/features/images');
    await button(page, 'Roll back').click();
    await router.change('/images/split', { percent: 40 });
    await dialog(page).getByLabel('Why').fill('ten is too much');
    await dialog(page).getByRole('button', { name: 'Roll back' }).click();
    await dialog(page).getByText('It was in canary at 10 %; now it is in canary at 40 %').waitFor();
    assert.equal((await feature())['percent'], 40);
    await dialog(page).getByRole('button', { name: 'Roll back' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    assert.equal((await feature())['percent'], 0);
    await page.context().close();
  });

  it('is worked by keyboard alone, and puts the focus back', async () => {
    const { page, faults } = await openPage(browser, {});
    await page.goto(router.adminUrl);
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
    assert.equal((await lastEntry())['why'], 'by keyboard');
    await until(async () => (await focused()) === 'Roll back', 'the focus where it was');
    await page.keyboard.press('Enter');
    await dialog(page).waitFor();
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'detached' });
    assert.deepEqual(faults, []);
    await page.context().close();
  });

  it('says that the connection is lost, and goes on by itself', async () => {
    const { page } = await enter('#/features/images');
    await router.kill('SIGKILL');
    await page.getByText('The router can’t be reached').waitFor();
    router = await start();
    await page.locator('.connection.live').waitFor({ timeout: 30_000 });
    await page.getByText('The router can’t be reached').waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('shows a file that is rejected, with the line', async () => {
    const { page } = await enter('#/config');
    const path = join(dir, 'strangler.yaml');
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
    const { page } = await enter('#/upstreams');
    const region = page.getByRole('region', { name: 'image-api' });
    await region.getByText(service.url).waitFor();
    await region.getByText('closed').waitFor();
    await page.context().close();
  });

  for (const colorScheme of ['light', 'dark'] as const)
    it(`fits a phone, in ${colorScheme}`, async () => {
      const { page, faults } = await enter('', { width: 360, colorScheme });
      for (const place of [
        'features',
        'features/images',
        `features/${encodeURIComponent(ODD_NAME)}`,
        'journal',
        'upstreams',
        'config',
      ]) {
        await page.goto(`${router.adminUrl}/#/${place}`);
        await page.locator('main .card').first().waitFor();
        assert.ok((await widthOf(page)) <= 360, `${place} is ${await widthOf(page)} wide`);
      }
      await page.goto(`${router.adminUrl}/#/features/images`);
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
