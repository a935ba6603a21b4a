-- The objects of one move in one of its two databases; a template: the words in double braces are filled in by objects.ts.
-- Functions are SECURITY DEFINER, so that an application's role needs no right in this schema and can't change what is kept here.

-- home may write the rows of its buckets; epoch rises with every change of home. moving: fenced, and not yet committed at the new home.
CREATE TABLE strangler.{{move}}_bucket (
  b      int PRIMARY KEY,
  home   text NOT NULL,
  epoch  bigint NOT NULL,
  moving boolean NOT NULL DEFAULT false
);
INSERT INTO strangler.{{move}}_bucket (b, home, epoch) SELECT b, {{first_home}}, 1 FROM generate_series(0, 1023) AS b;

CREATE TABLE strangler.{{move}}_row_state (
  -- The key columns as texts, a JSON array. Compared by bytes, so that both databases have the keys in one order.
  key      text COLLATE "C" PRIMARY KEY,
  b        int NOT NULL,
  -- The version: (epoch, n) rises with every write of the key, on whichever side, also over its deletion.
  epoch    bigint NOT NULL,
  n        bigint NOT NULL,
  deleted  boolean NOT NULL,
  -- Whether the other side may not have this version yet.
  dirty    boolean NOT NULL,
  -- Order of sending: microseconds since 1970 when it became dirty; rows of the backfill come behind all live ones.
  seq      bigint NOT NULL,
  blob_sha text,
  -- Buckets the row belonged to since it was last sent (its owner changed). They can't change home before the other side knows that it left.
  left_buckets int[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 80);
-- Statistics would say of most moments that nothing is dirty, and make the planner walk through all that is, for each single row it looks up.
ALTER TABLE strangler.{{move}}_row_state ALTER dirty SET STATISTICS 0;
CREATE INDEX ON strangler.{{move}}_row_state (seq) WHERE dirty;
CREATE INDEX ON strangler.{{move}}_row_state (b) WHERE dirty;
CREATE INDEX ON strangler.{{move}}_row_state (key) WHERE dirty AND left_buckets <> '{}';

-- Rows that are dirty here and that the other side could not take.
CREATE TABLE strangler.{{move}}_parked (
  key       text COLLATE "C" PRIMARY KEY,
  b         int NOT NULL,
  reason    text NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT now(),
  retry_at  timestamptz NOT NULL
);

-- Paths of files that a row named before the sync took it away or gave it another; at the side that keeps files at paths.
CREATE TABLE strangler.{{move}}_garbage (
  path  text PRIMARY KEY,
  since timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION strangler.{{move}}_bucket_of(owner text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN (('x' || pg_catalog.substr(pg_catalog.md5(owner), 1, 8))::bit(32)::bigint & 1023)::int;

-- Holds a bucket's home where it is until the transaction ends, and answers its epoch; refuses when the home is the other side.
CREATE FUNCTION strangler.{{move}}_enter(bucket int) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  at record;
BEGIN
  PERFORM pg_advisory_xact_lock_shared({{lock}}, bucket);
  -- A statement of its own, so that in READ COMMITTED it sees what was committed while the lock was waited for.
  IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
    -- Its snapshot may be older than a handover that is over. Locking the row fails then, with 40001, where reading it would see the old home.
    SELECT home, epoch, moving INTO at FROM strangler.{{move}}_bucket WHERE b = bucket FOR SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'could not serialize access: this transaction began before the move of {{move}} did'
        USING ERRCODE = 'serialization_failure', HINT = 'Begin it again.';
    END IF;
  ELSE
    SELECT home, epoch, moving INTO STRICT at FROM strangler.{{move}}_bucket WHERE b = bucket;
  END IF;
  IF at.home <> {{side}} THEN
    IF current_setting('strangler.{{move}}_wrote', true) = 'on' THEN
      RAISE EXCEPTION 'one transaction writes rows of two homes' USING ERRCODE = 'SK409',
        DETAIL = format('%s; epoch=%s', at.home, at.epoch),
        HINT = 'Write them in transactions of their own, or filter with strangler.{{move}}_is_home(owner).';
    END IF;
    RAISE EXCEPTION 'the home of this row is %', at.home USING ERRCODE = 'SK421',
      DETAIL = format('%s; epoch=%s%s', at.home, at.epoch, CASE WHEN at.moving THEN '; moving' ELSE '' END);
  END IF;
  IF current_setting('strangler.{{move}}_wrote', true) IS DISTINCT FROM 'on' THEN
    PERFORM set_config('strangler.{{move}}_wrote', 'on', true);
  END IF;
  RETURN at.epoch;
END $$;

-- Gives a key its next version. {{move}}_enter is asked once more here, as another trigger may have changed the owner after the fence.
CREATE FUNCTION strangler.{{move}}_bump(row_key text, bucket int, gone boolean, sha text) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  here bigint := strangler.{{move}}_enter(bucket);
  old_buckets int[];
BEGIN
  INSERT INTO strangler.{{move}}_row_state AS s (key, b, epoch, n, deleted, dirty, seq, blob_sha)
  VALUES (row_key, bucket, here, 1, gone, true, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, sha)
  ON CONFLICT (key) DO UPDATE SET
    b = excluded.b,
    -- Never less, though the new owner's bucket may have moved less often.
    epoch = greatest(s.epoch, excluded.epoch),
    n = s.n + 1,
    deleted = excluded.deleted,
    dirty = true,
    seq = CASE WHEN s.dirty THEN least(s.seq, excluded.seq) ELSE excluded.seq END,
    blob_sha = excluded.blob_sha,
    left_buckets = CASE WHEN s.b = excluded.b THEN s.left_buckets ELSE s.left_buckets || s.b END
  RETURNING left_buckets INTO old_buckets;
  -- A key that belonged to an owner whose home is the other side must not be given to another one here: it would have two homes.
  FOR i IN 1 .. cardinality(old_buckets) LOOP
    PERFORM strangler.{{move}}_enter(old_buckets[i]);
  END LOOP;
END $$;

CREATE FUNCTION strangler.{{move}}_fence() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    PERFORM strangler.{{move}}_enter(strangler.{{move}}_bucket_of({{old_owner}}));
  END IF;
  IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND {{old_owner}} <> {{new_owner}}) THEN
    PERFORM strangler.{{move}}_enter(strangler.{{move}}_bucket_of({{new_owner}}));
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN OLD;
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION strangler.{{move}}_mark() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- What others can see and a crash may still take back would be sent, and its version then given to another write.
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND {{old_key}} <> {{new_key}}) THEN
    -- The same statement may have given the key to another row.
    PERFORM strangler.{{move}}_bump({{old_key}}, strangler.{{move}}_bucket_of({{old_owner}}), true, NULL)
      WHERE NOT EXISTS (SELECT FROM {{table}} t WHERE {{is_old_row}});
  END IF;
  IF TG_OP <> 'DELETE' THEN
    PERFORM strangler.{{move}}_bump({{new_key}}, strangler.{{move}}_bucket_of({{new_owner}}), false, {{new_blob}});
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION strangler.{{move}}_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'TRUNCATE of % is refused while its rows are moving', TG_TABLE_NAME
    USING ERRCODE = 'feature_not_supported', HINT = 'DELETE marks each row for the other side; TRUNCATE would not.';
END $$;

-- Whether this side may write the rows of an owner; for batch SQL. What decides is the fence.
CREATE FUNCTION strangler.{{move}}_is_home(owner text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
  SELECT home = {{side}} FROM strangler.{{move}}_bucket WHERE b = strangler.{{move}}_bucket_of(owner)
$$;

-- Whether what was last written here of a row, named by its key columns, is at the other side too.
CREATE FUNCTION strangler.{{move}}_is_mirrored(VARIADIC key text[]) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS $$
  SELECT NOT EXISTS (SELECT FROM strangler.{{move}}_row_state s WHERE s.key = to_jsonb($1)::text AND s.dirty)
      OR EXISTS (SELECT FROM strangler.move WHERE name = {{name}} AND phase = 'complete')
$$;

REVOKE ALL ON FUNCTION strangler.{{move}}_enter(int), strangler.{{move}}_bump(text, int, boolean, text) FROM PUBLIC;
GRANT USAGE ON SCHEMA strangler TO PUBLIC;

-- Triggers fire by name: the fence comes last, when the others have made the row what it will be. What the sync of this move writes passes, without a
-- call of a function for each row.
CREATE TRIGGER zz_strangler_{{move}}_fence BEFORE INSERT OR UPDATE OR DELETE ON {{table}}
  FOR EACH ROW WHEN (pg_catalog.current_setting('strangler.sync', true) IS DISTINCT FROM {{name}}) EXECUTE FUNCTION strangler.{{move}}_fence();
-- AFTER: a BEFORE trigger also fires for rows that ON CONFLICT then leaves alone.
CREATE TRIGGER zz_strangler_{{move}}_mark AFTER INSERT OR UPDATE OR DELETE ON {{table}}
  FOR EACH ROW WHEN (pg_catalog.current_setting('strangler.sync', true) IS DISTINCT FROM {{name}}) EXECUTE FUNCTION strangler.{{move}}_mark();
CREATE TRIGGER zz_strangler_{{move}}_no_truncate BEFORE TRUNCATE ON {{table}}
  FOR EACH STATEMENT EXECUTE FUNCTION strangler.{{move}}_no_truncate();
ALTER TABLE {{table}} ENABLE ALWAYS TRIGGER zz_strangler_{{move}}_fence, ENABLE ALWAYS TRIGGER zz_strangler_{{move}}_mark,
  ENABLE ALWAYS TRIGGER zz_strangler_{{move}}_no_truncate;
