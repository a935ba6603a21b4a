-- Pictures of products: metadata here, bytes in the blob folder under `file`.
CREATE TABLE images (
  id           bigserial PRIMARY KEY,
  product_id   bigint NOT NULL REFERENCES products,
  -- Path below the blob folder, made by the shop, never taken from the client.
  file         text NOT NULL UNIQUE,
  content_type text NOT NULL CHECK (content_type IN ('image/jpeg', 'image/png', 'image/webp', 'image/avif', 'image/gif')),
  bytes        integer NOT NULL CHECK (bytes > 0),
  -- Pixels as seen, after the EXIF orientation was applied.
  width        integer NOT NULL CHECK (width > 0),
  height       integer NOT NULL CHECK (height > 0),
  -- Of the stored bytes, in hexadecimal.
  sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  alt          text NOT NULL DEFAULT '' CHECK (length(alt) <= 1000),
  created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX images_product ON images (product_id, id);
