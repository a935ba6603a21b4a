#!/bin/sh
# Run once by the Postgres image, in a new database. The services' roles, each with a password of its own; what they may do, the migrations say.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
  -v image="$IMAGE_API_PASSWORD" -v email="$EMAIL_API_PASSWORD" <<'SQL'
CREATE ROLE image_api LOGIN PASSWORD :'image';
CREATE ROLE email_api LOGIN PASSWORD :'email';
SQL
