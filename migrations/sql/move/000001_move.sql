-- What a database knows of the moves it takes part in; one row a move, in both databases. Everything a move does is driven on from these rows.
CREATE TABLE strangler.move (
  name          text PRIMARY KEY,
  -- Which of the two this database is, and the other; named like upstreams.
  side          text NOT NULL,
  other         text NOT NULL,
  -- The side the rows are at first: a move that goes back after it was completed starts at the one that was new.
  starts_at     text NOT NULL,
  -- Kept by the database the move starts from; the other's copy follows.
  phase         text NOT NULL,
  -- Of the columns of the table here when the move was set up. Another one stops the sync.
  fingerprint   text NOT NULL,
  -- Key after which the backfill goes on; NULL before its first chunk.
  backfill_key  text,
  backfilled_at timestamptz,
  -- When a verification that began after the backfill last came out clean.
  verified_at   timestamptz,
  -- What a verification found. Only a person takes it away.
  corrupt       text,
  -- Share of the buckets whose home is to be the new side. `ramp` and `reverse` write it, the runners bring it about.
  percent       int NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
  started_at    timestamptz NOT NULL DEFAULT now(),
  CHECK (side <> other)
);
