import { Command, CommanderError, Option } from 'commander';
import type { MoveVerb } from './commands/move.ts';
import { Failure } from './output.ts';

/**
 * `strangler`: one verb a file under commands/. Each file is loaded only when its verb is used, so that `strangler check` needs no
 * database driver and `strangler status` no router.
 */
const program = new Command('strangler')
  .description('Divert one feature of a monolith to a new service, by flag, step by step, reversibly')
  .version('0.1.0')
  .showHelpAfterError('(strangler help shows every command)')
  .exitOverride();

const configOption = (): Option => new Option('--config <file>', 'the config').default('strangler.yaml');
const jsonOption = (): Option => new Option('--json', 'print JSON');

/** A verb that talks to a running router. */
function remote(verb: string, summary: string): Command {
  return program
    .command(verb)
    .description(summary)
    .option('--admin <url>', 'admin address of the router (default: from ADMIN_PORT, then the config)')
    .addOption(configOption())
    .addOption(jsonOption());
}

/** A verb that changes a feature: it always says why. */
function changing(verb: string, summary: string): Command {
  return remote(verb, summary)
    .requiredOption('--why <text>', 'the reason, for the journal')
    .option('--who <name>', 'who changes it (default: the user at this machine)');
}

const local = (verb: string, summary: string): Command => program.command(verb).description(summary);

local('serve', 'Serve the traffic')
  .addOption(configOption())
  .addOption(jsonOption())
  .action(async (options) => (await import('./commands/serve.ts')).serveCommand(options));
local('check', 'Check strangler.yaml and the flags')
  .addOption(configOption())
  .addOption(jsonOption())
  .action(async (options) => (await import('./commands/check.ts')).checkCommand(options));
local('init', 'Write a commented strangler.yaml and flags.json for a monolith')
  .requiredOption('--monolith <url>', 'where the monolith listens')
  .option('--service <url>', 'where the new service will listen', 'http://127.0.0.1:3001')
  .option('--feature <name>', 'the first feature to divert', 'images')
  .option('--dir <folder>', 'where to write', '.')
  .option('--force', 'replace files that exist')
  .addOption(jsonOption())
  .action(async (options) => (await import('./commands/init.ts')).initCommand(options));
local('migrate', 'Apply the numbered SQL files of a set, each exactly once')
  .option('--set <name>', 'monolith, image-api, image-api-own, email-api, reviews-api or move', 'monolith')
  .option('--database <url>', 'the database (default: DATABASE_URL)')
  .addOption(jsonOption())
  .action(async (options) => (await import('./commands/migrate.ts')).migrateCommand(options));
const move = local('move', 'Move a feature’s tables into the service’s own database, both sides serving');
move
  .command('plan <name>')
  .description('Look at both databases, and say all that stands against the move')
  .option('--from <url>', 'the database that is left (default: DATABASE_URL)')
  .option('--to <url>', 'the database that is moved to (default: IMAGE_DATABASE_URL)')
  .option('--moves <folder>', 'where NAME.ts describes the move', 'migrations/moves')
  .option('--sample <n>', 'rows from each end of the key that the mapping is tried on', '1000')
  .addOption(jsonOption())
  .action(async (name, options) => (await import('./commands/move-plan.ts')).movePlanCommand(name, options));
remote('status', 'Show the features, their gates and ramps, and what is in force')
  .option('--watch', 'again every second, until Ctrl-C')
  .action(async (options) => (await import('./commands/status.ts')).statusCommand(options));
remote('explain [method] [path]', 'Show where a request would go, and why')
  .option(
    '--feature <name>',
    'instead of a request: which side an application is told that asks for its flag',
  )
  .option('--key <key>', 'the key that decides the side')
  .option('--host <host>', 'the Host, for targeting rules')
  .option('--header <name:value...>', 'further headers, for targeting rules')
  .action(async (method, path, options) =>
    (await import('./commands/explain.ts')).explainCommand(method, path, options),
  );
remote('journal [feature]', 'Show the changes, newest first')
  .option('--limit <n>', 'how many', '20')
  .action(async (feature, options) =>
    (await import('./commands/journal.ts')).journalCommand(feature, options),
  );
remote('parity <feature>', 'Show how far the two sides agree, and what differs')
  .option('--limit <n>', 'how many mismatches', '20')
  .option('--check', 'exit 1 when there are mismatches')
  .action(async (feature, options) => (await import('./commands/parity.ts')).parityCommand(feature, options));
local('link <feature>', 'Print a signed link that gives one browser one side')
  .requiredOption('--side <upstream>', 'the side')
  .option('--hours <n>', 'how long it holds', '8')
  .option('--url <origin>', 'address of the router as the tester sees it')
  .addOption(configOption())
  .addOption(jsonOption())
  .action(async (feature, options) => (await import('./commands/link.ts')).linkCommand(feature, options));
changing('shift <feature> <percent>', 'Set the share of the service, in canary').action(
  async (feature, percent, options) =>
    (await import('./commands/shift.ts')).shiftCommand(feature, percent, options),
);
changing('rollback <feature>', 'Everybody to the default upstream at once')
  .option('--to <stage>', 'an earlier stage')
  .action(async (feature, options) =>
    (await import('./commands/rollback.ts')).rollbackCommand(feature, options),
  );
for (const [verb, summary] of [
  ['promote', 'One stage forward'],
  ['pause', 'Stop the ramp where it is'],
  ['resume', 'Undo a kill, restart the ramp'],
  ['kill', 'The emergency brake: everybody to the default upstream, whatever the stage'],
] as const) {
  changing(`${verb} <feature>`, summary).action(async (feature, options) =>
    (await import('./commands/act.ts')).actCommand(verb, feature, options),
  );
}

for (const [verb, summary] of Object.entries({
  start: "Make the move's objects in both databases; from then on writes are fenced and marked",
  run: 'Send rows both ways, backfill, verify and ramp, until Ctrl-C; any number may run at once',
  status: 'Show the phase, homes, rows, lag and what is parked',
  verify: 'Compare every row of both sides now',
  ramp: 'Make the new side the home of a share of the entities',
  reverse: 'Bring all homes back to the old side',
  retry: 'Try parked rows again at once',
  clear: 'Take a recorded difference of the sides away, after a person has acted',
  complete: 'End the move: nothing is sent back any more',
  cancel: 'Give the move up: empty the new table, take the objects away',
  contract: 'After complete: empty the old table, take the objects away',
} satisfies Record<MoveVerb, string>)) {
  const command = move
    .command(verb === 'ramp' ? 'ramp <move> <percent>' : `${verb} <move>`)
    .description(summary)
    .option('--from <url>', 'database the move starts from (default: DATABASE_URL)')
    .option('--to <url>', "the service's own (default: IMAGE_DATABASE_URL)")
    .option('--from-blobs <folder>', 'where files of the old side are (default: BLOB_URL)')
    .option(
      '--to-blobs <folder>',
      'where files of the new side are, or s3://bucket/prefix (default: IMAGE_BLOB_URL)',
    )
    .option('--moves <folder>', 'the folder of the descriptions', 'migrations/moves')
    .option(
      '--admin <url>',
      'admin address of the router, if there is one (default: from ADMIN_PORT, then the config)',
    )
    .addOption(configOption())
    .addOption(jsonOption());
  if (verb === 'retry')
    command.option('--key <key>', 'of one row: its value, or the JSON array of its values');
  if (verb === 'clear') command.requiredOption('--why <text>', 'the reason, for the journal');
  else if (['ramp', 'reverse', 'retry', 'complete', 'cancel', 'contract'].includes(verb))
    command.option('--why <text>', 'the reason, for the journal');
  if (verb === 'start')
    command
      .option(
        '--accept-columns',
        'go on with columns that were changed on both sides; all rows are sent anew',
      )
      .option('--swapped', 'from the new side to the old one: the way back of a completed move');
  if (verb === 'run') command.option('--quiet', 'without a line of progress each second');
  command.action(async (name: string) =>
    (await import('./commands/move.ts')).moveCommand(verb as MoveVerb, name, command.args[1], command.opts()),
  );
}

try {
  await program.parseAsync();
} catch (error) {
  // A closed pipe (`strangler journal | head`) is the reader's wish, not a failure.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof Failure) {
    for (const line of error.lines) process.stderr.write(`${line}\n`);
    process.exitCode = error.exitCode;
  } else throw error;
}
