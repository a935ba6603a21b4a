import { setTimeout as wait } from 'node:timers/promises';
import { connect, type ConfirmChannel, type GetMessage } from 'amqplib';
import { publishOn, refuseReturned } from './amqp-link.ts';
import { notesOf, parse } from './amqp-message.ts';
import { declare } from './amqp-topology.ts';
import { idIn, isChosen, type Choice, type DeadBox, type DeadLetter } from './dead-box.ts';
import { DEAD, MAIL } from './queue.ts';

/** Milliseconds that letters which were only looked at have to be back. */
const BACK_WITHIN = 3000;

/**
 * The dead letters at a broker. AMQP reads a message by taking it: those that are not wanted go back to their places when the channel closes, and
 * meanwhile nobody else sees them. A letter is replayed once: confirmed in the queue before it leaves here; cut off in between, it is in both, and the
 * inbox sends its mail once. A consumer that was cut off between putting a letter here and taking the job away leaves a second copy: the copies of one
 * id are one letter.
 */
export async function openAmqpDeadBox(url: string): Promise<DeadBox> {
  const connection = await connect(url, { timeout: 5000 });
  connection.on('error', () => undefined);

  async function openChannel(): Promise<ConfirmChannel> {
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => undefined);
    refuseReturned(channel);
    return channel;
  }

  /** Takes the oldest letters there are now, and gives back those of which `use` does not say that they are gone. */
  async function withEach(
    most: number,
    use: (channel: ConfirmChannel, letter: GetMessage) => Promise<boolean>,
  ): Promise<void> {
    const channel = await openChannel();
    let left = 0;
    try {
      await declare(channel, []);
      // No more than there are now: one that is replayed and dies again at once is a new one.
      const { messageCount } = await channel.checkQueue(DEAD);
      left = messageCount;
      for (let taken = 0; taken < Math.min(most, messageCount); taken += 1) {
        const letter = await channel.get(DEAD);
        if (letter === false) break;
        if (await use(channel, letter)) left -= 1;
      }
    } finally {
      await channel.close();
    }
    await areBack(left);
  }

  /** The broker puts letters back after it closed the channel; who looks again at once would miss them. */
  async function areBack(count: number): Promise<void> {
    const channel = await openChannel();
    const end = Date.now() + BACK_WITHIN;
    while (Date.now() < end && (await channel.checkQueue(DEAD)).messageCount < count) await wait(20);
    await channel.close();
  }

  async function choose(
    choice: Choice,
    use: (channel: ConfirmChannel, letter: GetMessage) => Promise<void>,
  ): Promise<number> {
    const isCopy = copies();
    let count = 0;
    await withEach(Infinity, async (channel, letter) => {
      if (!isChosen(choice, idOf(letter) ?? NAMELESS)) return false;
      if (!isCopy(letter)) {
        await use(channel, letter);
        count += 1;
      }
      channel.ack(letter);
      return true;
    });
    return count;
  }

  return {
    async list(most) {
      const letters: DeadLetter[] = [];
      const isCopy = copies();
      await withEach(most, async (_channel, letter) => {
        if (!isCopy(letter))
          letters.push({ id: idOf(letter) ?? NAMELESS, ...notesOf(letter.properties.headers) });
        return false;
      });
      return letters;
    },
    replay: (choice) =>
      choose(choice, (channel, letter) =>
        publishOn(channel, MAIL, letter.content, { messageId: idOf(letter) ?? NAMELESS }),
      ),
    discard: (choice) => choose(choice, async () => {}),
    close: () => connection.close(),
  };
}

/** What a letter is called that has no id. */
const NAMELESS = 'without an id';

function idOf({ content, properties }: GetMessage): string | null {
  return idIn(parse(content)) ?? (properties.messageId === undefined ? null : String(properties.messageId));
}

/** Tells whether a letter is one more of an id that was seen. Those without an id are all different. */
function copies(): (letter: GetMessage) => boolean {
  const seen = new Set<string>();
  return (letter) => {
    const id = idOf(letter);
    if (id === null) return false;
    const isCopy = seen.has(id);
    seen.add(id);
    return isCopy;
  };
}
