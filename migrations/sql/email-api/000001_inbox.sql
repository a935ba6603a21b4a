-- What the email-api remembers of the mails it sent, in a schema of its own, and what its role may do: that, and take jobs from the queue.
-- Run in the shop's database, by the role that owns the queue's tables or will: before or after the queue is there.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'email_api') THEN
    CREATE ROLE email_api LOGIN;
  END IF;
EXCEPTION
  -- Roles belong to the whole cluster, so another database's migration may create it between the check and the CREATE.
  WHEN duplicate_object OR unique_violation THEN NULL;
  WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the role email_api does not exist and this user may not create it'
      USING HINT = 'Let an administrator run: CREATE ROLE email_api LOGIN PASSWORD ''...'', then migrate again.';
END
$$;

CREATE SCHEMA email_api;
GRANT USAGE ON SCHEMA email_api TO email_api;

-- Each row is written three times in its life; the free space lets that happen in its own page.
CREATE TABLE email_api.inbox (
  message_id text PRIMARY KEY,
  -- How often work on it was begun since it last ended in order: above 1, a process died over it.
  begun integer NOT NULL DEFAULT 0,
  -- When the mail server took it. Whoever sends it holds the row's lock.
  sent_at timestamptz,
  received_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX inbox_received ON email_api.inbox (received_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON email_api.inbox TO email_api;

-- pg-boss makes its tables when the shop first starts, which may be before or after this, and more of them with later versions. So the schema is
-- made here when it is missing, and what this role makes in it later is granted in advance. No TRUNCATE, no DDL: the consumer runs without migrating.
CREATE SCHEMA IF NOT EXISTS pgboss;
GRANT USAGE ON SCHEMA pgboss TO email_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pgboss TO email_api;
ALTER DEFAULT PRIVILEGES IN SCHEMA pgboss GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO email_api;
