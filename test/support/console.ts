import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { freePorts } from '../../tools/processes.ts';
import { launchChromium, openPage } from './chromium.ts';
import { startRouter, startUpstream, type RouterProcess, type Upstream } from './router.ts';

export const ODD_NAME = '<img src=x onerror=1>';
export const TOKEN = 'a-token-for-the-console-test';

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
  mail: { kind: seam, upstream: email-api, flag: mail }
`;
const flag = (percent: number, service = 'image-api'): object => ({
  state: 'ENABLED',
  variants: { monolith: 'monolith', [service]: service },
  defaultVariant: 'monolith',
  targeting: {
    fractional: [
      [service, percent],
      ['monolith', 100 - percent],
    ],
  },
  metadata: { stage: 'canary' },
});

/** A router with a console, a browser that can log in there, and what the router says of it. */
export interface ConsoleBed {
  readonly dir: string;
  readonly service: Upstream;
  readonly browser: Browser;
  /** The router; one that was killed is replaced by `restart`. */
  readonly router: RouterProcess;
  restart(): Promise<void>;
  feature(): Promise<Record<string, unknown>>;
  /** The newest entry of the journal. */
  lastEntry(): Promise<Record<string, unknown>>;
  /** Logs in as Ana and goes to a place of the console. */
  enter(
    hash: string,
    screen?: { width?: number; colorScheme?: 'light' | 'dark' },
  ): Promise<{ page: Page; faults: string[] }>;
}

/** Called in a `describe`: its hooks open and close all of it, and each test begins at canary, 10 %. */
export function useConsole(): ConsoleBed {
  const dir = mkdtempSync(join(tmpdir(), 'console-'));
  const flags = JSON.stringify({ flags: { images: flag(10), odd: flag(0), mail: flag(0, 'email-api') } });
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

  return {
    dir,
    feature,
    lastEntry,
    enter,
    get service() {
      return service;
    },
    get browser() {
      return browser;
    },
    get router() {
      return router;
    },
    async restart() {
      router = await start();
    },
  };
}

export const button = (page: Page, name: string) =>
  page.getByRole('group', { name: 'Actions' }).getByRole('button', { name });
export const dialog = (page: Page) => page.getByRole('dialog');
