import { cpus, totalmem } from 'node:os';
import { blobs } from './blobs.ts';
import { backfill, untilRamp, verifying } from './copying.ts';
import { cutOver } from './cutover.ts';
import { end, openField, type Field } from './field.ts';
import { lag, resuming } from './lag.ts';
import { percentile, RATE } from './load.ts';
import { pauses } from './pause.ts';
import { triggerCost } from './triggers.ts';

/*
 * `make bench-move`: the figures of an online move between two real servers, one a line: name, value, unit, and what is asked of it. README.md says how
 * each is measured. ROWS=200000 SECONDS=10 BUCKETS=50 BLOBS=400 WRITES=1500 make it shorter or longer.
 */
const setting = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);
const rows = setting('ROWS', 200_000);
/** After this it gives up, in milliseconds; what is open is closed all the same. */
const DEADLINE = 6 * 60_000;

function figure(name: string, value: number, unit: string, asked = ''): void {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  console.log(`${name.padEnd(34)} ${value.toFixed(digits).padStart(9)} ${unit.padEnd(9)} ${asked}`.trimEnd());
}

const field = await openField(rows);
const late = setTimeout(() => {
  console.error(`not done after ${DEADLINE / 1000} s`);
  process.exitCode = 1;
  void field.close().finally(() => process.exit());
}, DEADLINE);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void field.close().finally(() => process.exit(1)));
try {
  await measure(field);
} finally {
  clearTimeout(late);
  await field.close();
}

async function measure(field: Field): Promise<void> {
  const { rows: said } = await field.old.query<{ server_version: string }>('SHOW server_version');
  const [cpu] = cpus();
  console.log(
    `${cpus().length} × ${cpu!.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB; Node ${process.version}, Postgres ${said[0]!.server_version}; ${rows} rows, ${RATE} writes/s`,
  );

  const copied = await backfill(field);
  figure('backfill', copied.perSecond, 'rows/s', '≥ 20,000');
  await untilRamp(field);

  const lags = await lag(field, setting('SECONDS', 10));
  figure('lag p50', percentile(lags, 0.5), 'ms', '≤ 20');
  figure('lag p99', percentile(lags, 0.99), 'ms', '≤ 250');

  const { runner, resumed } = await resuming(field, copied.runner, 3);
  figure('resume after kill, slowest of 3', Math.max(...resumed), 'ms', '≤ 2,000');

  const paused = await pauses(field, setting('BUCKETS', 50));
  figure('pause of a bucket p50', percentile(paused, 0.5), 'ms', '≤ 15');
  figure('pause of a bucket p99', percentile(paused, 0.99), 'ms', '≤ 100');
  await end(runner);

  figure('verify', await verifying(field), 'rows/s', '≥ 50,000');
  const { update, insert } = await triggerCost(field, setting('WRITES', 1500));
  figure('triggers, an UPDATE', update, 'ms', '≤ 0.3');
  figure('triggers, an INSERT', insert, 'ms', '≤ 0.3');

  const second = field.runner();
  const { seconds, requests, failed, took } = await cutOver(field);
  figure('cut-over of 1,024 buckets', seconds, 's');
  figure('cut-over, requests', requests, 'requests');
  figure('cut-over, failed', failed.length, 'requests', '0');
  figure('cut-over, held longest', Math.max(...took), 'ms', '≤ 1,000');
  figure('cut-over p99', percentile(took, 0.99), 'ms');
  for (const line of failed.slice(0, 5)) console.error(line);
  await end(second);

  const { carried, verified } = await blobs(field.dir, setting('BLOBS', 400));
  figure('blobs carried', carried, 'MB/s', '≥ 100');
  figure('blobs verified', verified, 'MB/s', '≥ 100');
}
