import assert from 'node:assert/strict';
import { mailJob, useEmailApi, type ServiceUnderTest } from './email-api-under-test.ts';
import { until } from './until.ts';

/** What the service does with real mail servers and a queue, whichever it is. */
export function emailApiContract(openSetting: () => Promise<ServiceUnderTest>): void {
  const { setting, smtp, start, ids, idsOf, counted, command } = useEmailApi(openSetting);

  it('sends a confirmation once, however often its job comes, and ends in order', async () => {
    const service = start();
    await setting().send(mailJob(1), mailJob(2), mailJob(1));
    await until(
      async () => (await counted(service, 'repeated')) === 1 && (await counted(service, 'sent')) === 2,
      () => `both mails and a repetition; ${service.output()}`,
      20_000,
    );
    assert.deepEqual(ids().toSorted(), idsOf(1, 2));
    const { raw, to } = smtp().mails.find(({ messageId }) => messageId === idsOf(1)[0])!;
    assert.deepEqual(to, ['buyer1@example.com']);
    assert.match(raw, /^From: Nordlicht <orders@shop\.example>\r$/m);
    assert.match(raw, /^Subject: Your order 1\r$/m);
    assert.match(raw, /^Content-Type: text\/plain/m);
    assert.ok(raw.replaceAll('=\r\n', '').includes('Lamp &#60;b&#62;'), raw);
    assert.equal(await service.stop(), 0);
  });

  it('waits while the mail server is gone, and counts no attempt for that', async () => {
    await smtp().close();
    const service = start({ EMAIL_API_RETRY_SECONDS: '1' });
    await setting().send(...[1, 2, 3, 4, 5, 6, 7, 8].map((number) => mailJob(number)));
    const isOut = async (): Promise<boolean> => /email_api_mail_server_out 1/.test(await service.metrics());
    await until(isOut, () => `the outage to be noticed; ${service.output()}`, 20_000);
    // One attempt and one second: those who were counted would be dead by then.
    await until(() => service.output().split('can not be reached').length > 1, 'it to say so');
    await smtp().open();
    await until(
      () => ids().length === 8,
      () => `all mails; ${service.output()}`,
      30_000,
    );
    assert.equal(new Set(ids()).size, 8);
    assert.equal(await counted(service, 'dead'), 0);
    assert.equal(await counted(service, 'later'), 0);
    assert.match(service.output(), /the mail server is back/);
  });

  it('tries again what is refused for now, gives up what is refused for good, and holds up nobody for either', async () => {
    let refusals = 0;
    smtp().refuse = (address) => {
      if (address === 'buyer1@example.com') return (refusals += 1) <= 2 ? 451 : null;
      return address === 'buyer2@example.com' ? 550 : null;
    };
    const service = start({ EMAIL_API_CONCURRENCY: '1' });
    await setting().send(mailJob(1), mailJob(2), mailJob(3), mailJob(4));
    await until(
      () => ids().length === 2,
      () => `the others; ${service.output()}`,
      20_000,
    );
    assert.deepEqual(ids().toSorted(), idsOf(3, 4));
    await until(
      () => ids().length === 3,
      () => `the one that waits; ${service.output()}`,
      20_000,
    );
    assert.equal(await counted(service, 'later'), 2);
    await until(async () => /email_api_dead_letters 1/.test(await service.metrics()), 'the dead letter');
    const { output } = await command('list');
    assert.match(output, /^\S+Z {2}1 attempt {3}<order-2@shop\.example> {2}.*550.*buyer2@example\.com.*\n$/);
    smtp().refuse = () => null;
    assert.deepEqual(await command('replay', '--id', 'order-2@shop.example'), {
      code: 0,
      output: 'replayed 1\n',
    });
    await until(
      () => ids().length === 4,
      () => `the replayed one; ${service.output()}`,
      20_000,
    );
    assert.deepEqual(await command('replay', '--id', 'order-2@shop.example'), {
      code: 1,
      output: 'replayed 0\n',
    });
  });

  it('gives up at once what can not be a mail, and says why', async () => {
    const service = start();
    await setting().send(
      mailJob(1, { to: 'a@b.example\r\nBcc: c@d.example' }),
      mailJob(2, {
        order: { id: '2\r\nBcc: c@d.example', quantity: 1, product: 'x', totalCents: 1, currency: 'EUR' },
      }),
      mailJob(3, { version: '\u009b2J\u2028' }),
      mailJob(4),
    );
    await until(
      async () => (await counted(service, 'dead')) === 3,
      () => `three dead letters; ${service.output()}`,
      20_000,
    );
    await until(() => ids().length === 1, 'the one that is right');
    assert.deepEqual(ids(), idsOf(4));
    // What became of a job is counted a moment before the queue has it.
    await until(
      async () => /email_api_dead_letters 3/.test(await service.metrics()),
      'the queue to have them',
    );
    const { output } = await command('list', '--json');
    const errors = (JSON.parse(output) as { id: string; error: string; attempts: number }[])
      .toSorted((left, right) => left.id.localeCompare(right.id))
      .map(({ error, attempts }) => `${attempts} ${error}`);
    assert.match(errors[0]!, /^1 to: "a@b\.example\\r\\nBcc: c@d\.example" is not one address/);
    assert.match(errors[1]!, /^1 order\.id: .* is not a text that fits a subject/);
    assert.match(errors[2]!, /^1 version: "\u009b2J\u2028" is not 1/);
    assert.match((await command('list')).output, /version: "\\u\{9b\}2J\\u\{2028\}" is not 1/);
    assert.deepEqual(await command('discard', '--all', '--json'), { code: 0, output: '{"discarded":3}\n' });
  });

  it('finishes what is under way after SIGTERM, and leaves the rest to the next', async () => {
    let yes: (() => void) | null = null;
    smtp().beforeYes = () => new Promise<void>((done) => (yes = done));
    const service = start({ EMAIL_API_CONCURRENCY: '1' });
    await setting().send(mailJob(1), mailJob(2));
    await until(
      () => yes !== null,
      () => `a mail under way; ${service.output()}`,
      20_000,
    );
    assert.match(await service.metrics(), /email_api_jobs_in_flight 1/);
    const exited = service.stop();
    await until(
      async () => (await fetch(`${await service.url()}/readyz`)).status === 503,
      'it to say that it ends',
    );
    smtp().beforeYes = () => undefined;
    yes!();
    assert.equal(await exited, 0, service.output());
    assert.equal(ids().length, 1);
    const next = start();
    await until(
      () => ids().length === 2,
      () => `the rest; ${next.output()}`,
      20_000,
    );
    assert.equal(new Set(ids()).size, 2);
  });
}
