-- What customers say of products.
CREATE TABLE reviews (
  id         bigserial PRIMARY KEY,
  product_id bigint NOT NULL REFERENCES products,
  -- The name under which it is shown; that of the account when it was written.
  author     text NOT NULL CHECK (author <> ''),
  stars      integer NOT NULL CHECK (stars BETWEEN 1 AND 5),
  -- A title and what follows, parted by an empty line, as people write it.
  body       text NOT NULL DEFAULT '' CHECK (length(body) <= 4000),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reviews_product ON reviews (product_id, id);
