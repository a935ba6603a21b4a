import type { Etcd } from '../etcd/client.ts';
import type { Lease } from '../etcd/lease.ts';
import type { Leader } from './leader.ts';

/**
 * One leader among the routers of one etcd: whose name stands in the key, which goes with its lease. Without contact the lead is given up before the
 * lease can end, so nobody else has it yet; and each step is a compare-and-swap besides.
 */
export function createEtcdLeader(etcd: Etcd, lease: Lease, key: string, me: string): Leader {
  let isMine = false;
  lease.onRenewed(async (id) => {
    try {
      const { succeeded, ranges } = await etcd.txn(
        [{ key, created: 0 }],
        [{ put: key, value: me, lease: id }],
        [{ range: key }],
      );
      isMine = succeeded || ranges[0]?.keys[0]?.value === me;
    } catch (error) {
      // Not known: what was known holds as long as the lease does.
      if (!lease.holds()) isMine = false;
      throw error;
    }
  });
  return {
    lead: () => isMine && lease.holds(),
    release() {
      isMine = false;
    },
  };
}
