import { migrate } from '@strangler-kit/migrations/migrate.ts';
import { Failure, print } from '../output.ts';

const SETS = ['monolith', 'image-api', 'image-api-own', 'email-api', 'reviews-api', 'move'] as const;

/** Applies what is not applied yet; safe to run from several machines at once. */
export async function migrateCommand(options: {
  readonly set: string;
  readonly database?: string;
  readonly json?: boolean;
}): Promise<void> {
  const set = SETS.find((name) => name === options.set);
  if (!set) throw new Failure(2, [`there is no set "${options.set}"; there are ${SETS.join(', ')}`]);
  const url = options.database ?? process.env['DATABASE_URL'];
  if (!url) throw new Failure(2, ['name the database with --database or DATABASE_URL']);
  const applied = await migrate({ url, set }).catch((error: unknown) => {
    throw new Failure(2, [(error as Error).message]);
  });
  print(options, { set, applied }, () =>
    applied.length > 0 ? applied.map((name) => `applied ${set}/${name}`) : [`${set} is up to date`],
  );
}
