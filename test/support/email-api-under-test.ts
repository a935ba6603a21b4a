import type pg from 'pg';
import { deadLetters, runEmailApi, type EmailApi } from './email-api.ts';
import { startMailServer, type MailServer } from './mail-server.ts';
import type { QueueUnderTest } from './queue-under-test.ts';

export interface ServiceUnderTest extends Pick<QueueUnderTest, 'send' | 'env' | 'close'> {
  /** The database of the inbox, as its owner. */
  readonly owner: pg.Pool;
}

/** A confirmation to be sent. */
export function mailJob(number: number, more: object = {}): object {
  return {
    version: 1,
    id: `<order-${number}@shop.example>`,
    kind: 'order-confirmation',
    to: `buyer${number}@example.com`,
    order: { id: String(number), quantity: 2, product: 'Lamp <b>', totalCents: 4999, currency: 'EUR' },
    shadow: null,
    ...more,
  };
}

/** What tests of the service have in common. */
export interface ServiceTests {
  setting(): ServiceUnderTest;
  smtp(): MailServer;
  start(env?: Readonly<Record<string, string>>): EmailApi;
  /** Message-IDs of the mails that the server took. */
  ids(): string[];
  /** Message-IDs of jobs. */
  idsOf(...numbers: number[]): string[];
  /** Jobs that ended so, by the service's own metrics. */
  counted(service: EmailApi, result: string): Promise<number>;
  command(...args: string[]): ReturnType<typeof deadLetters>;
}

/** A queue, an inbox and a mail server before each test of a suite; after it, all services are gone. */
export function useEmailApi(openSetting: () => Promise<ServiceUnderTest>): ServiceTests {
  let setting: ServiceUnderTest;
  let smtp: MailServer;
  const services: EmailApi[] = [];
  beforeEach(async () => {
    smtp = await startMailServer();
    setting = await openSetting();
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.kill()));
    await smtp.close();
    await setting?.close();
  });
  const start = (env: Readonly<Record<string, string>> = {}): EmailApi => {
    const service = runEmailApi({
      ...setting.env,
      SMTP_URL: smtp.url,
      EMAIL_API_RETRY_SECONDS: '1,2',
      ...env,
    });
    services.push(service);
    return service;
  };
  const ids = (): string[] => smtp.mails.map(({ messageId }) => messageId);
  const idsOf = (...numbers: number[]): string[] => numbers.map((number) => `<order-${number}@shop.example>`);
  const counted = async (service: EmailApi, result: string): Promise<number> =>
    Number(
      new RegExp(`email_api_jobs_total\\{result="${result}"\\} (\\d+)`).exec(await service.metrics())?.[1] ??
        0,
    );
  const command = (...args: string[]): ReturnType<typeof deadLetters> => deadLetters(setting.env, ...args);
  return { setting: () => setting, smtp: () => smtp, start, ids, idsOf, counted, command };
}
