-- Reviews as a service of their own would keep them: with a title apart from the text.
CREATE TABLE review_leases (
  first bigint PRIMARY KEY,
  size  bigint NOT NULL CHECK (size > 0),
  next  bigint NOT NULL
);

-- The id of the next review, out of what the shop's sequence has leased to this side. NULL when nothing is left: then the fence speaks before the NOT NULL.
CREATE FUNCTION next_review_id() RETURNS bigint LANGUAGE sql VOLATILE SET search_path = public, pg_temp AS $$
  UPDATE review_leases SET next = next + 1
  WHERE first = (SELECT first FROM review_leases WHERE next < first + size ORDER BY first LIMIT 1 FOR UPDATE)
  RETURNING next - 1
$$;

CREATE TABLE customer_reviews (
  id          bigint PRIMARY KEY DEFAULT next_review_id(),
  -- The shop's; no foreign key reaches there.
  product_id  bigint NOT NULL,
  author_name text NOT NULL CHECK (author_name <> ''),
  rating      smallint NOT NULL CHECK (rating BETWEEN 1 AND 5),
  -- One line. A text that begins like a title with its text has one, so that both sides read a review alike.
  title       text CHECK (title NOT LIKE E'%\n%'),
  text        text NOT NULL,
  written_at  timestamptz NOT NULL DEFAULT now(),
  -- The shop never kept this.
  language    text,
  CHECK (title IS NOT NULL OR text !~ E'^[^\n]*\n\n')
);
CREATE INDEX customer_reviews_product ON customer_reviews (product_id, id);
