import { connect } from 'amqplib';
import { declare } from '../../extracted/email-api/amqp-topology.ts';
import { emailApiContract } from '../support/email-api-contract.ts';
import { emailApiKills } from '../support/email-api-kills.ts';
import type { ServiceUnderTest } from '../support/email-api-under-test.ts';
import { testDatabase, testPool } from '../support/postgres.ts';
import { startBroker, type Broker } from '../support/rabbitmq.ts';

describe('the email-api as a process, with the queue at a broker', function () {
  this.timeout(120_000);
  let broker: Broker;
  before(async () => {
    broker = await startBroker();
  });
  after(() => broker?.stop());

  async function openSetting(): Promise<ServiceUnderTest> {
    const database = await testDatabase({ migrate: ['email-api'] });
    const owner = testPool(database.url);
    const connection = await connect(broker.url);
    connection.on('error', () => undefined);
    const channel = await connection.createConfirmChannel();
    await declare(channel, [1, 2]);
    for (const name of ['mail', 'mail-dead', 'mail-wait-1', 'mail-wait-2']) await channel.purgeQueue(name);
    return {
      owner,
      env: { DATABASE_URL: database.urlFor('email_api'), AMQP_URL: broker.url, EMAIL_DATABASE_URL: '' },
      async send(...bodies) {
        for (const body of bodies) {
          const { id } = body as { id: string };
          channel.sendToQueue('mail', Buffer.from(JSON.stringify(body)), { persistent: true, messageId: id });
        }
        await channel.waitForConfirms();
      },
      async close() {
        await connection.close();
        await owner.end();
        await database.drop();
      },
    };
  }
  emailApiContract(openSetting);
  emailApiKills(openSetting);
});
