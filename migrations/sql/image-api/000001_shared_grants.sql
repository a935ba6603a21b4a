-- While the feature's data is `shared`, the image-api works on the shop's own tables, with a role of its own that may do
-- what the image endpoints need and nothing else. Run in the shop's database.
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

GRANT USAGE ON SCHEMA public TO image_api;
GRANT SELECT, INSERT, DELETE ON images TO image_api;
GRANT UPDATE (alt) ON images TO image_api;
GRANT USAGE ON SEQUENCE images_id_seq TO image_api;
-- An image is only accepted for a product that exists, and the answer of an unknown product is 404.
GRANT SELECT (id) ON products TO image_api;
