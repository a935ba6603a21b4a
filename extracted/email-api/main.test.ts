import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { PgBoss } from 'pg-boss';
import { emailApiContract } from '../../test/support/email-api-contract.ts';
import { emailApiKills } from '../../test/support/email-api-kills.ts';
import { mailJob, type ServiceUnderTest } from '../../test/support/email-api-under-test.ts';
import { runEmailApi, type EmailApi } from '../../test/support/email-api.ts';
import { testDatabase, testPool } from '../../test/support/postgres.ts';
import { until } from '../../test/support/until.ts';

async function openSetting(): Promise<ServiceUnderTest> {
  const database = await testDatabase({ migrate: ['email-api'] });
  const boss = new PgBoss({ connectionString: database.url, supervise: false, schedule: false });
  boss.on('error', () => undefined);
  await boss.start();
  await boss.createQueue('mail-dead');
  await boss.createQueue('mail', { deadLetter: 'mail-dead' });
  const owner = testPool(database.url);
  return {
    owner,
    env: { DATABASE_URL: database.urlFor('email_api'), AMQP_URL: '', EMAIL_DATABASE_URL: '' },
    async send(...bodies) {
      for (const body of bodies) await boss.send('mail', body);
    },
    async close() {
      await boss.stop({ graceful: false });
      await owner.end();
      await database.drop();
    },
  };
}

describe('the email-api as a process', function () {
  this.timeout(120_000);
  describe('with the queue in the database', () => {
    emailApiContract(openSetting);
    emailApiKills(openSetting, { isWhole: false });
  });

  describe('alone', () => {
    const services: EmailApi[] = [];
    afterEach(() => Promise.all(services.splice(0).map((service) => service.kill())));
    const start = (env: Readonly<Record<string, string>>): EmailApi => {
      const service = runEmailApi({ AMQP_URL: '', EMAIL_DATABASE_URL: '', ...env });
      services.push(service);
      return service;
    };

    it('ends at once, with one sentence, when it can not start', async () => {
      const wrong = start({ DATABASE_URL: 'postgres:///x', EMAIL_API_CONCURRENCY: 'many' });
      assert.equal(await wrong.exited, 2);
      assert.equal(wrong.output(), 'EMAIL_API_CONCURRENCY=many is not a whole number from 1 to 100\n');
      const holder = createServer().listen(0, '127.0.0.1');
      await once(holder, 'listening');
      const { port } = holder.address() as { port: number };
      const second = start({ DATABASE_URL: 'postgres:///x', EMAIL_API_PORT: String(port) });
      assert.equal(await second.exited, 1);
      assert.match(second.output(), new RegExp(`port ${port} is taken; set EMAIL_API_PORT to another`));
      await once(holder.close(), 'close');
    });

    it('waits for the shop to make the queue, and is ready then', async () => {
      const database = await testDatabase({ migrate: ['email-api'] });
      const service = start({ DATABASE_URL: database.urlFor('email_api') });
      const base = await service.url();
      const { status } = await fetch(`${base}/livez`);
      assert.equal(status, 200);
      const unready = await fetch(`${base}/readyz`);
      assert.equal(unready.status, 503);
      assert.deepEqual(await unready.json(), { status: 'not ready', reason: 'the queue can not be reached' });
      const boss = new PgBoss({ connectionString: database.url, supervise: false, schedule: false });
      await boss.start();
      await service.ready();
      await boss.stop({ graceful: false });
      assert.equal(await service.stop(), 0, service.output());
      await database.drop();
    });

    it('answers its probes, and everything else with a problem', async () => {
      const service = start({ DATABASE_URL: 'postgres://127.0.0.1:1/none' });
      const base = await service.url();
      assert.equal((await fetch(`${base}/livez`, { method: 'HEAD' })).status, 200);
      const missing = await fetch(`${base}/orders`);
      assert.equal(missing.status, 404);
      assert.equal(missing.headers.get('content-type'), 'application/problem+json');
      assert.equal(((await missing.json()) as { code: string }).code, 'NOT_FOUND');
      const wrong = await fetch(`${base}/metrics`, { method: 'POST' });
      assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'GET, HEAD']);
      assert.match(await service.metrics(), /^email_api_jobs_in_flight 0$/m);
      assert.equal(await service.stop(), 0);
    });

    it('compares what the monolith sends by itself, sends none of it, and tells the router', async () => {
      interface Report {
        readonly side: string;
        readonly ok: boolean;
        readonly parity: string | null;
        readonly difference: { subject: string; differences: { path: string; default: string }[] } | null;
      }
      const reports: Report[] = [];
      const tokens = new Set<string | undefined>();
      let isAway = true;
      const router = createServer((request, response) => {
        let text = '';
        request.on('data', (chunk: Buffer) => (text += chunk.toString()));
        request.on('end', () => {
          tokens.add(request.headers.authorization);
          assert.equal(request.url, '/api/features/mail/observations');
          if (!isAway) reports.push(...(JSON.parse(text) as { observations: Report[] }).observations);
          response.writeHead(isAway ? 503 : 200).end('{}');
        });
      }).listen(0, '127.0.0.1');
      await once(router, 'listening');
      const setting = await openSetting();
      const service = start({
        ...setting.env,
        FLAGS_URL: `http://127.0.0.1:${(router.address() as { port: number }).port}`,
        STRANGLER_APP_TOKEN: 'app-secret',
        // Nobody listens there: a shadow that sent would be noticed as an outage.
        SMTP_URL: 'smtp://127.0.0.1:1',
      });
      const line = 'Thank you for your order 1.';
      const more = '2 × Lamp <b>, €49.99 in all.';
      const end = 'We pack it with care and write again when it leaves the house.';
      const shadow = {
        from: 'Nordlicht <orders@shop.example>',
        to: 'buyer1@example.com',
        subject: 'Your order 1',
        text: `${line}\n\n${more}\n\n${end}\n`,
        html: `<!doctype html><html lang="en"><body style="font-family:Georgia,serif"><p>${line}</p><p>2 × Lamp &#60;b&#62;, €49.99 in all.</p><p>${end}</p></body></html>`,
      };
      await setting.send(
        mailJob(1, { shadow }),
        mailJob(1, {
          shadow: { ...shadow, subject: 'Your Order 1', text: shadow.text.replace('care', 'love') },
        }),
      );
      await until(
        async () => /result="compared"\} 2/.test(await service.metrics()),
        () => `two comparisons; ${service.output()}`,
        20_000,
      );
      await until(() => tokens.size === 1, 'the router to have been asked in vain');
      isAway = false;
      await until(() => reports.length === 2, 'two reports');
      assert.deepEqual([...tokens], ['Bearer app-secret']);
      const byParity = reports.toSorted((left, right) => left.parity!.localeCompare(right.parity!));
      assert.deepEqual(
        byParity.map(({ side, ok, parity }) => [side, ok, parity]),
        [
          ['email-api', true, 'match'],
          ['email-api', true, 'mismatch'],
        ],
      );
      const { subject, differences } = byParity[1]!.difference!;
      assert.equal(subject, '<order-1@shop.example>');
      assert.deepEqual(
        differences.map(({ path }) => path),
        ['subject', 'text'],
      );
      assert.deepEqual(differences[0], {
        path: 'subject',
        default: 'Your Order 1',
        candidate: 'Your order 1',
      });
      assert.equal(byParity[0]!.difference, null);
      assert.equal(await service.stop(), 0);
      assert.doesNotMatch(service.output(), /can not be reached|app-secret/);
      await setting.close();
      router.close();
      router.closeAllConnections();
    });
  });
});
