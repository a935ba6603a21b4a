import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from '@prometheus-io/client';
import type { Express } from 'express';
import type pg from 'pg';
import { createApp } from '../../monolith/app.ts';
import type { Mail } from '../../monolith/mail.ts';
import { hashPassword, openSessions, type Sessions } from '../../monolith/sessions.ts';
import { testDatabase, testPool } from './postgres.ts';

export interface OpenMonolith {
  readonly app: Express;
  readonly pool: pg.Pool;
  readonly url: string;
  readonly sessions: Sessions;
  /** Messages of what was logged as an error. */
  readonly errors: string[];
  /** How often an order woke the mail. */
  wakes(): number;
  /** Makes the shop say that it is about to end. */
  drain(): void;
  /** A cookie of a new account; its password is `secret`. */
  customer(email: string): Promise<{ id: string; cookie: string }>;
  /** The id of a new product of 12.50 EUR. */
  product(name?: string): Promise<number>;
  close(): Promise<void>;
}

/** The shop's application on a database of its own, without a port and without mail. `senderFor`: who is to send an order's mail; default: the shop. */
export async function openMonolith(
  senderFor: Mail['senderFor'] = async () => ({ by: 'monolith', enqueue: null }),
): Promise<OpenMonolith> {
  const database = await testDatabase({ migrate: ['monolith'] });
  const pool = testPool(database.url);
  const blobDir = mkdtempSync(join(tmpdir(), 'monolith-'));
  const sessions = await openSessions(pool);
  const errors: string[] = [];
  let wakes = 0;
  let isDraining = false;
  const app = createApp({
    pool,
    blobDir,
    sessions,
    mail: { wake: () => (wakes += 1), senderFor },
    registry: new Registry(),
    isDraining: () => isDraining,
    log: { error: (entry: { err?: Error }) => errors.push(entry.err?.message ?? '') },
  });
  return {
    app,
    pool,
    url: database.url,
    sessions,
    errors,
    wakes: () => wakes,
    drain: () => (isDraining = true),
    async customer(email) {
      const { rows } = await pool.query<{ id: string; email: string; name: string }>(
        'INSERT INTO users (email, name, password_hash) VALUES ($1, $2, $3) RETURNING id, email, name',
        [email, 'A customer', await hashPassword('secret', randomBytes(16).toString('hex'))],
      );
      return { id: rows[0]!.id, cookie: `sid=${await sessions.issue(rows[0]!)}` };
    },
    async product(name = 'Lantern') {
      const { rows } = await pool.query<{ id: string }>(
        'INSERT INTO products (name, price_cents) VALUES ($1, 1250) RETURNING id',
        [name],
      );
      return Number(rows[0]!.id);
    },
    async close() {
      await pool.end();
      await database.drop();
      rmSync(blobDir, { recursive: true, force: true });
    },
  };
}
