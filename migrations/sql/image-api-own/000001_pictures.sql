-- The image-api's own database (IMAGE_DATA=own): what it would have made had it never shared the shop's table.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'image_api') THEN
    CREATE ROLE image_api LOGIN;
  END IF;
EXCEPTION
  -- Roles belong to the whole cluster, so another database's migration may create it between the check and the CREATE.
  WHEN duplicate_object OR unique_violation THEN NULL;
  WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the role image_api does not exist and this user may not create it'
      USING HINT = 'Let an administrator run: CREATE ROLE image_api LOGIN PASSWORD ''...'', then migrate again.';
END
$$;

-- Ids come in leases from whoever else gives out ids of pictures, so that both can add pictures and none is used twice. A counter that no
-- transaction holds deals tickets, and a lease says which ids a span of tickets stands for: as fast as a sequence, and blocks may be anywhere.
CREATE SEQUENCE picture_tickets;
CREATE TABLE id_leases (
  first_ticket bigint PRIMARY KEY,
  first_id     bigint NOT NULL CHECK (first_id > 0),
  size         bigint NOT NULL CHECK (size > 0),
  leased_at    timestamptz NOT NULL DEFAULT now(),
  -- Whoever leases a block a second time is told so, and no picture ever.
  CONSTRAINT id_leases_once EXCLUDE USING gist (int8range(first_id, first_id + size) WITH &&)
);

CREATE FUNCTION next_picture_ticket() RETURNS bigint LANGUAGE sql STABLE SET search_path = public, pg_temp
RETURN (SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM picture_tickets);

-- How many pictures can be added before another block is leased.
CREATE FUNCTION picture_ids_left() RETURNS bigint LANGUAGE sql STABLE SET search_path = public, pg_temp
RETURN (
  SELECT coalesce(sum(first_ticket + size - greatest(first_ticket, next_picture_ticket())), 0)::bigint
  FROM id_leases WHERE first_ticket + size > next_picture_ticket()
);

-- Adds the ids first … first + size - 1, to be used after those leased before.
CREATE FUNCTION lease_picture_ids(first bigint, size bigint) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  LOCK TABLE id_leases IN SHARE ROW EXCLUSIVE MODE;
  INSERT INTO id_leases (first_ticket, first_id, size)
  SELECT greatest(next_picture_ticket(), coalesce(max(l.first_ticket + l.size), 1)), lease_picture_ids.first, lease_picture_ids.size
  FROM id_leases l;
END
$$;

-- The id of the next picture; NULL when no lease has one.
CREATE FUNCTION next_picture_id() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  ticket bigint;
  id bigint;
BEGIN
  -- Asked first, because a ticket that no lease honours would be lost to the next one.
  IF EXISTS (SELECT FROM id_leases WHERE first_ticket + size > next_picture_ticket()) THEN
    ticket := nextval('picture_tickets');
    SELECT first_id + (ticket - first_ticket) INTO id FROM id_leases
    WHERE first_ticket <= ticket AND ticket < first_ticket + size ORDER BY first_ticket DESC LIMIT 1;
  END IF;
  RETURN id;
END
$$;

CREATE TABLE pictures (
  id         bigint PRIMARY KEY DEFAULT next_picture_id(),
  -- The shop's; it is asked whether there is such a product, since no foreign key reaches there.
  product_id bigint NOT NULL CHECK (product_id > 0),
  kind       text NOT NULL CHECK (kind IN ('jpeg', 'png', 'webp', 'avif', 'gif')),
  -- Bytes.
  size       integer NOT NULL CHECK (size > 0),
  -- Pixels as seen.
  width      integer NOT NULL CHECK (width > 0),
  height     integer NOT NULL CHECK (height > 0),
  -- Of the bytes, in hexadecimal; also where they are.
  sha256     text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  alt        text NOT NULL DEFAULT '' CHECK (length(alt) <= 1000),
  added_at   timestamptz NOT NULL DEFAULT now(),
  -- When this service last changed the description; the shop never kept that.
  changed_at timestamptz,
  -- Where the shop has the file, if not at products/PRODUCT/ID.KIND. For the way back only: written by the move, and dropped after it.
  legacy_folder text,
  legacy_name   text CHECK (legacy_name IS NOT NULL OR legacy_folder IS NULL)
);

-- SQLSTATE SK503: nothing is wrong with the request, and a moment later there may be an id. Said here and not by the default, which is computed before any
-- trigger: whether this side may write the row at all is told first. Triggers fire in the order of their names.
CREATE FUNCTION refuse_without_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'no id for a picture is leased' USING ERRCODE = 'SK503', HINT = 'SELECT lease_picture_ids(first, size)';
END
$$;
CREATE TRIGGER zzz_needs_id BEFORE INSERT ON pictures FOR EACH ROW WHEN (NEW.id IS NULL) EXECUTE FUNCTION refuse_without_id();

CREATE INDEX pictures_product ON pictures (product_id, id);
CREATE INDEX pictures_sha256 ON pictures (sha256);

REVOKE ALL ON FUNCTION next_picture_id(), next_picture_ticket(), picture_ids_left(), lease_picture_ids(bigint, bigint) FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO image_api;
GRANT SELECT, DELETE ON pictures TO image_api;
-- Not id: the service can't make up one. Not legacy_*: those are the move's.
GRANT INSERT (product_id, kind, size, width, height, sha256, alt) ON pictures TO image_api;
GRANT UPDATE (alt, changed_at) ON pictures TO image_api;
GRANT EXECUTE ON FUNCTION next_picture_id() TO image_api;
