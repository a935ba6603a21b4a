import { createRoom } from './alone.ts';
import { renderConfirmation } from './confirmation.ts';
import type { Inbox } from './inbox.ts';
import { Malformed, readJob, type MailJob, type RenderedMail } from './job.ts';
import type { Metrics } from './metrics.ts';
import type { Observations } from './observations.ts';
import type { Outage } from './outage.ts';
import { differencesOf } from './parity.ts';
import type { Handle, Job, Verdict } from './queue.ts';
import type { Answer, Smtp } from './smtp.ts';

export interface ConsumerOptions {
  readonly inbox: Inbox;
  readonly smtp: Smtp;
  readonly outage: Pick<Outage, 'isOut'>;
  readonly observations: Pick<Observations, 'add'>;
  readonly metrics: Pick<Metrics, 'job' | 'smtp' | 'inFlight'>;
  readonly log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
  readonly retrySeconds: readonly number[];
  readonly maxCrashes: number;
}

/** What became of a job; each is counted. */
export type Result = 'sent' | 'repeated' | 'compared' | 'later' | 'released' | 'dead';

interface Outcome {
  readonly result: Result;
  readonly verdict: Verdict;
}

const DONE: Verdict = { type: 'done' };
const dead = (why: string): Outcome => ({ result: 'dead', verdict: { type: 'dead', why } });
const release = (after: number): Outcome => ({ result: 'released', verdict: { type: 'release', after } });

/** Handles one job after another, several at once. What it needs of the world is handed in; what it answers is written down by the queue. */
export function createConsumer(options: ConsumerOptions): Handle {
  const { inbox, observations, metrics, log, maxCrashes } = options;
  const inRoom = createRoom();

  async function handleMail(job: Job, mail: MailJob): Promise<Outcome> {
    const rendered = renderConfirmation(mail);
    if (mail.shadow) return compare(mail, mail.shadow, rendered);
    // Under way when a process ended, perhaps by chance: from the second time on it is alone in that, and none is blamed for it that only waited.
    const ended = job.attempt === 1 ? 0 : await inbox.begun(mail.id);
    if (ended >= maxCrashes) return dead(`the process ended ${ended} times while it was handled`);
    const outcome = await inRoom(ended > 0, () =>
      inbox.once<Outcome>(mail.id, job.attempt === 1, async () => {
        const answer = await send(mail, rendered);
        return { isSent: answer.type === 'taken', result: await outcomeOf(answer, job) };
      }),
    );
    if (outcome === 'sent') return { result: 'repeated', verdict: DONE };
    return outcome === 'busy' ? release(1) : outcome;
  }

  async function send(mail: MailJob, rendered: RenderedMail): Promise<Answer> {
    const start = performance.now();
    const answer = await options.smtp.send(mail.id, rendered);
    const milliseconds = performance.now() - start;
    metrics.smtp(answer.type, milliseconds / 1000);
    const ok = answer.type === 'taken';
    observations.add({ side: 'email-api', ok, milliseconds, parity: null, count: 1, difference: null });
    return answer;
  }

  async function outcomeOf(answer: Answer, { attempt }: Job): Promise<Outcome> {
    if (answer.type === 'taken') return { result: 'sent', verdict: DONE };
    if (answer.type === 'never') return dead(answer.why);
    if (answer.type === 'none' && (await options.outage.isOut())) return release(0);
    const after = options.retrySeconds[attempt - 1];
    if (after === undefined) return dead(`${answer.why} (attempt ${attempt}, the last)`);
    return { result: 'later', verdict: { type: 'retry', after, why: answer.why } };
  }

  function compare({ id }: MailJob, monolith: RenderedMail, ours: RenderedMail): Outcome {
    const start = performance.now();
    const differences = differencesOf(monolith, ours);
    const isMatch = differences.length === 0;
    if (!isMatch)
      log.info({ mail: id, fields: differences.map(({ path }) => path) }, 'a mail is rendered differently');
    observations.add({
      side: 'email-api',
      ok: true,
      milliseconds: performance.now() - start,
      parity: isMatch ? 'match' : 'mismatch',
      count: 1,
      difference: isMatch ? null : { subject: id, differences },
    });
    return { result: 'compared', verdict: DONE };
  }

  return async (job) => {
    let outcome: Outcome;
    metrics.inFlight(1);
    try {
      outcome = await handleMail(job, readJob(job.body));
    } catch (error) {
      // Anything but a fault of the job is a fault of what we need, the database first: the job is tried again, and nothing is held against it.
      if (!(error instanceof Malformed)) {
        log.warn({ err: error, job: job.name }, 'a job could not be handled; it is given back');
        outcome = release(1);
      } else outcome = dead(error.message);
    } finally {
      metrics.inFlight(-1);
    }
    metrics.job(outcome.result);
    const { verdict } = outcome;
    if (verdict.type === 'dead' || verdict.type === 'retry')
      log.warn(
        { job: job.name, attempt: job.attempt, why: verdict.why },
        verdict.type === 'dead'
          ? 'a mail became a dead letter'
          : `a mail is tried again in ${verdict.after} s`,
      );
    return verdict;
  };
}
