import { createHash } from 'node:crypto';
import type pg from 'pg';
import { Problem } from './problem.ts';
import type { Image } from './store.ts';

/** A promise to store an upload once, whatever number of times it is sent. */
export interface Claim {
  /** SHA-256 of who sent it and of its Idempotency-Key, in hexadecimal. */
  readonly key: string;
  /** SHA-256 of what was sent. */
  readonly fingerprint: string;
}

/** A picture that was asked to be added: now, or, under the same claim, before. */
export interface Added {
  readonly image: Image;
  readonly isNew: boolean;
}

/** Hours an answer is remembered. */
export const REMEMBERED = 24;

/**
 * The value of an Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header): a string in quotes (RFC 9651 §3.3.3), or bare, as most clients send it.
 * Null without one. Throws 400 for what is neither.
 */
export function readKey(header: string | undefined): string | null {
  if (header === undefined) return null;
  const [, quoted, bare] = /^\s*(?:"([\x21\x23-\x5b\x5d-\x7e]+)"|([\x21\x23-\x7e]+))\s*$/.exec(header) ?? [];
  const key = quoted ?? bare;
  if (key === undefined || key.length > 255)
    throw new Problem(400, 'Idempotency-Key is 1 to 255 visible ASCII characters, such as a UUID');
  return key;
}

/** `user`: whose key it is; two customers may choose the same one. `content`: all that makes the upload this one. */
export function claimFor(user: string, key: string, content: readonly string[]): Claim {
  return { key: digest([user, key]), fingerprint: digest(content) };
}

/** What was answered to the claim before; null if nothing was. Throws 422 when it was another upload. */
export async function earlier(db: pg.Pool | pg.PoolClient, claim: Claim): Promise<Image | null> {
  const { rows } = await db.query<{ fingerprint: string; answer: Image | null }>(
    'SELECT fingerprint, answer FROM image_api.idempotency_keys WHERE key = $1',
    [claim.key],
  );
  const [known] = rows;
  if (!known) return null;
  if (known.fingerprint !== claim.fingerprint)
    throw new Problem(
      422,
      'this Idempotency-Key came with another upload before: use a new one for each',
      {},
      ['KEY_REUSED', 'The Idempotency-Key belongs to another upload'],
    );
  return known.answer;
}

/**
 * Adds under a claim, inside a transaction: both are kept, or neither. Where another transaction holds the claim, this waits for how that one ends; if it was
 * kept, nothing is added and what was answered there is answered here.
 */
export async function once(
  client: pg.PoolClient,
  claim: Claim | null,
  add: () => Promise<Image>,
): Promise<Added> {
  const known = claim && (await taken(client, claim));
  if (known) return { image: known, isNew: false };
  const image = await add();
  if (claim)
    await client.query('UPDATE image_api.idempotency_keys SET answer = $2 WHERE key = $1', [
      claim.key,
      JSON.stringify(image),
    ]);
  return { image, isNew: true };
}

/** Null once the claim is ours. */
async function taken(client: pg.PoolClient, claim: Claim): Promise<Image | null> {
  for (;;) {
    const { rowCount } = await client.query(
      'INSERT INTO image_api.idempotency_keys (key, fingerprint) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [claim.key, claim.fingerprint],
    );
    if (rowCount === 1) return null;
    const known = await earlier(client, claim);
    // Null: forgotten between the two statements, so it can be had.
    if (known) return known;
  }
}

/** Forgets answers that are older than is promised. */
export async function forget(pool: pg.Pool, hours: number = REMEMBERED): Promise<void> {
  await pool.query(
    'DELETE FROM image_api.idempotency_keys WHERE created_at < now() - make_interval(hours => $1)',
    [hours],
  );
}

/** No two lists of texts have one digest: each text goes with its length. */
function digest(texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${Buffer.byteLength(text)}:${text}`);
  return hash.digest('hex');
}
