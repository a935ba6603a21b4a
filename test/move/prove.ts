import { openField, storm } from './storm.ts';
import { details, isClean, summary } from './verdict.ts';

/** `make prove-move SECONDS=60 SEED=7`: one storm, told as it goes; exit 1 when anything was lost. */
const setting = (name: string, otherwise: number): number => {
  const given = process.env[name];
  if (given === undefined) return otherwise;
  // A run of no seconds, or one that nobody can repeat, would prove nothing and say that nothing was lost.
  if (/^\d{1,9}$/.test(given)) return Number(given);
  console.error(`${name}=${given} is not a whole number`);
  process.exit(2);
};
const seconds = setting('SECONDS', 60);
const seed = setting('SEED', Math.floor(Math.random() * 1e6));
const crashes = setting('CRASHES', Math.floor(seconds / 15));
const routerKills = setting('ROUTER_KILLS', Math.floor(seconds / 12));
console.log(
  `seed ${seed}, ${seconds} s; each server is killed ${crashes} times, the router ${routerKills} times`,
);
const field = await openField();
try {
  const log = process.env.VERBOSE ? (line: string): void => console.log(line) : (): void => {};
  const outcome = await storm(field, { seconds, seed, crashes, routerKills, log });
  for (const note of outcome.notes) console.log(note);
  for (const line of details(outcome)) console.log(line);
  console.log(summary(outcome));
  process.exitCode = isClean(outcome) ? 0 : 1;
} finally {
  await field.close();
}
