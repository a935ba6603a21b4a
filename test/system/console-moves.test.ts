import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { widthOf } from '../support/chromium.ts';
import { dialog, useConsole } from '../support/console.ts';
import { until } from '../support/until.ts';

/** Set: a picture of the card is put into docs/. */
const KEPT = process.env['SCREENSHOTS'] ? resolve(import.meta.dirname, '../../docs') : null;

const parkedRow = (id: number, reason: string): object => ({
  side: 'monolith',
  key: `["${id}"]`,
  b: id,
  reason,
  since: new Date(Date.now() - 125_000).toISOString(),
  retryAt: new Date(Date.now() + 3000).toISOString(),
});

/** What a runner tells in the middle of a ramp. */
const RAMP = {
  sides: { from: 'monolith', to: 'image-api' },
  phase: 'ramp',
  percent: 25,
  buckets: { all: 1024, atOld: 766, atNew: 254, moving: 4 },
  rows: { all: 48_210, known: 48_210 },
  waiting: {
    monolith: { rows: 7, lag: 14, parked: 0 },
    'image-api': { rows: 2, lag: 9, parked: 0 },
  },
  parked: [] as object[],
  verifiedAgo: 252_000,
  corrupt: null as string | null,
  rowsPerSecond: 0,
  secondsLeft: null as number | null,
};

describe('a move of data in the console, in Chromium', function () {
  this.timeout(120_000);
  const bed = useConsole();
  /** Reported every half second, as by a runner, until it is null. */
  let told: object | null = null;
  let wishes: unknown[] = [];
  let runner: NodeJS.Timeout;
  beforeEach(() => {
    wishes = [];
    const report = async (): Promise<void> => {
      if (told === null) return;
      const init = { method: 'PUT', body: JSON.stringify(told) };
      const { status, body } = await bed.router.admin('/api/moves/images', init);
      assert.equal(status, 200, JSON.stringify(body));
      if (body['retry'] !== null) wishes.push(body['retry']);
    };
    runner = setInterval(() => void report(), 500);
  });
  afterEach(() => clearInterval(runner));

  const card = (page: Page): Locator => page.getByRole('region', { name: 'Move images' });
  const keep = async (page: Page, name: string): Promise<void> => {
    if (KEPT !== null) await card(page).screenshot({ path: join(KEPT, `${name}.png`) });
  };

  it('shows a backfill with its speed and its end, then the share of the homes', async () => {
    told = {
      ...RAMP,
      phase: 'backfill',
      percent: 0,
      buckets: { all: 1024, atOld: 1024, atNew: 0, moving: 0 },
      rows: { all: 48_210, known: 31_400 },
      waiting: { ...RAMP.waiting, monolith: { rows: 1400, lag: 0, parked: 0 } },
      verifiedAgo: null,
      rowsPerSecond: 21_300,
      secondsLeft: 0.85,
    };
    const { page, faults } = await bed.enter('#/features/images');
    await card(page).getByRole('list', { name: 'Phase: backfill' }).waitFor();
    await card(page).getByText('30,000 of about 48,210 rows · 21,300 rows/s · 1 s left').waitFor();
    await card(page).getByText('Not verified yet').waitFor();
    told = RAMP;
    await card(page).getByRole('list', { name: 'Phase: ramp' }).waitFor();
    const homes = 'Buckets at home: image-api 254, monolith 766, 4 on their way; 25 % wanted at image-api';
    await card(page).getByRole('img', { name: homes }).waitFor();
    assert.equal(await card(page).locator('[data-figure="backlog monolith"]').textContent(), '7');
    await card(page).getByText('All rows were compared 4 min 12 s ago').waitFor();
    await page.goto(`${bed.router.adminUrl}/#/features`);
    await page.locator('article', { hasText: 'images' }).first().getByText('data: ramp').waitFor();
    await page.goto(`${bed.router.adminUrl}/#/journal`);
    await page.getByText('from backfill to ramp').waitFor();
    assert.deepEqual(faults, []);
    await page.context().close();
  });

  it('lists parked rows with reasons, and has one or all of them tried again', async () => {
    told = {
      ...RAMP,
      waiting: { ...RAMP.waiting, monolith: { rows: 9, lag: 125_000, parked: 2 } },
      parked: [
        parkedRow(7, 'value too long for type character varying(200)'),
        parkedRow(19, 'new row for relation "pictures" violates check constraint "pictures_sha256_check"'),
      ],
    };
    const { page, faults } = await bed.enter('#/features/images');
    await card(page).getByText('value too long for type').waitFor();
    await keep(page, 'console-move');
    await card(page).getByRole('button', { name: 'Retry ["7"]' }).click();
    await dialog(page).getByText('tries row ["7"] of images at once').waitFor();
    await dialog(page).getByLabel('Why').fill('the column is longer now');
    await dialog(page).getByRole('button', { name: 'Retry' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    await page.getByRole('status').filter({ hasText: 'the runner is told' }).waitFor();
    await until(() => wishes.length === 1, 'the runner to take the wish');
    await card(page).getByRole('button', { name: 'Retry all' }).click();
    await dialog(page).getByLabel('Why').fill('and the others');
    await dialog(page).getByRole('button', { name: 'Retry' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    await card(page).getByRole('button', { name: 'Retry all' }).waitFor();
    await until(() => wishes.length === 2, 'the runner to take the second wish');
    assert.deepEqual(wishes, [['["7"]'], 'all']);
    const { who, why, action } = await bed.lastEntry();
    assert.deepEqual([who, why, action], ['ana', 'and the others (all parked rows)', 'retry']);
    await page.setViewportSize({ width: 360, height: 800 });
    assert.ok((await widthOf(page)) <= 360, `${await widthOf(page)} wide`);
    assert.deepEqual(faults, []);
    await page.context().close();
  });

  it('is loud when the sides differ, and says when no runner is heard of', async () => {
    told = { ...RAMP, corrupt: 'key ["7"]: one version, but alt differ' };
    const { page, faults } = await bed.enter('#/features/images', { colorScheme: 'dark' });
    const alarm = card(page).getByRole('alert');
    await alarm.getByText('The sides differ.').waitFor();
    await alarm.getByText('then say strangler move clear images --why').waitFor();
    await alarm.getByText('key ["7"]: one version, but alt differ').waitFor();
    await page.goto(`${bed.router.adminUrl}/#/features`);
    await page.getByText('sides differ').first().waitFor();
    await page.goto(`${bed.router.adminUrl}/#/features/images`);
    told = null;
    await card(page).getByText('No runner has been heard of since').waitFor({ timeout: 20_000 });
    told = RAMP;
    await card(page).getByText('No runner has been heard of since').waitFor({ state: 'detached' });
    await alarm.waitFor({ state: 'detached' });
    assert.deepEqual(faults, []);
    await page.context().close();
  });

  it('between upstreams that no feature has is below the features', async () => {
    told = { ...RAMP, sides: { from: 'monolith', to: 'reviews-api' } };
    const { page } = await bed.enter('#/features');
    await card(page).getByText('moves from monolith to reviews-api').waitFor();
    told = { ...RAMP, sides: { from: 'monolith', to: 'reviews-api' }, phase: 'complete', percent: 100 };
    await card(page).getByRole('list', { name: 'Phase: complete' }).waitFor();
    await page.context().close();
  });
});
