import { readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';

/** The account a server runs as. Null: the one this process has. */
export type Account = { readonly uid: number; readonly gid: number } | null;

/**
 * Postgres refuses to run as root. So root starts it as the owner of the data, and a new data folder is given to `nobody`, which
 * every Linux has. Anybody else starts it as themselves, and then the data must be theirs.
 */
export function accountFor(data: string): Account {
  const me = userInfo().uid;
  const owner = statSync(data, { throwIfNoEntry: false });
  if (me !== 0) {
    if (owner && owner.uid !== me)
      throw new Error(
        `${data} belongs to the user ${owner.uid}, and this is ${me}: run as that user, or name another folder with DATA_DIR`,
      );
    return null;
  }
  if (!owner) return nobody();
  if (owner.uid === 0)
    throw new Error(`${data} belongs to root, and Postgres does not run as root: chown -R nobody ${data}`);
  return { uid: owner.uid, gid: owner.gid };
}

function nobody(): NonNullable<Account> {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('nobody:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined)
    throw new Error(
      'Postgres does not run as root, and there is no user "nobody" in /etc/passwd to run it as',
    );
  return { uid: Number(uid), gid: Number(gid) };
}
