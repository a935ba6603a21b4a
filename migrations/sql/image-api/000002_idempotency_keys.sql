-- Answers to uploads that carried an Idempotency-Key, so that one that is sent again is answered again and stored once. While the data is shared they are
-- the service's own all the same: a schema of its own in the shop's database, in the same transaction as the row.
CREATE SCHEMA image_api;
GRANT USAGE ON SCHEMA image_api TO image_api;

CREATE TABLE image_api.idempotency_keys (
  -- SHA-256 of who sent it and the key; neither is kept as it is.
  key         text PRIMARY KEY CHECK (key ~ '^[0-9a-f]{64}$'),
  -- SHA-256 of what was sent with it.
  fingerprint text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
  -- The picture that was answered; null inside the transaction that adds it, and never after.
  answer      jsonb,
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_keys_by_age ON image_api.idempotency_keys (created_at);
GRANT SELECT, INSERT, DELETE ON image_api.idempotency_keys TO image_api;
GRANT UPDATE (answer) ON image_api.idempotency_keys TO image_api;
