-- Who sends an order's confirmation is decided once, when the order is taken, and kept with it: however often the flag changes afterwards, and whoever is
-- killed, there is one sender. The default is a constant, so no row is rewritten and the lock lasts for an instant; what is unsent from before is the monolith's.
ALTER TABLE orders ADD COLUMN mailed_by text NOT NULL DEFAULT 'monolith';
-- An order that was handed to the queue has `mailed_at` from the start: the loop of a monolith of the version before, which knows no senders and may
-- run beside this one for a while, leaves it alone too. NOT VALID, as all older rows have the default: reading them under the lock would tell nothing.
ALTER TABLE orders ADD CONSTRAINT orders_mailed_by
  CHECK (mailed_by = 'monolith' OR (mailed_by = 'email-api' AND mailed_at IS NOT NULL)) NOT VALID;

-- Mail jobs on their way to the broker: written in the order's own transaction, removed when the broker has confirmed them (monolith/relay.ts).
CREATE TABLE mail_outbox (
  position   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id text NOT NULL CHECK (message_id <> ''),
  job        jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
