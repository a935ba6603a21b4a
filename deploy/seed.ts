import pg from 'pg';
import { readConfig } from '../monolith/config.ts';
import { seed } from '../monolith/seed.ts';

// The demo customer, products and pictures, where DATABASE_URL and BLOB_URL say: as `make up` does it, once.
const { databaseUrl, blobDir } = readConfig(process.env);
const pool = new pg.Pool({ connectionString: databaseUrl });
await seed(pool, blobDir);
await pool.end();
