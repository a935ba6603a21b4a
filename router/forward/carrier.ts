import type { Carrier } from './asker.ts';
import type { ClientConnection } from './client.ts';
import { Errand } from './errand.ts';
import { Exchange } from './exchange.ts';
import type { Gateway } from './gateway.ts';
import type { Forwarding } from './request.ts';

/** One exchange for every request but a write of rows that move, which may take several. */
export function carrierOf(gateway: Gateway, client: ClientConnection, it: Forwarding): Carrier {
  const { homes } = it.route;
  return homes === null ? new Exchange(gateway, client, it) : new Errand(gateway, client, it, homes);
}
