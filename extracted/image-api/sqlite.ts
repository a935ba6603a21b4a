import type { DatabaseSync } from 'node:sqlite';

/**
 * Opens an SQLite database with the module of Node 24, which is stable in what is used here and warns at its first use that it is experimental: a line in the log of
 * whoever runs this that he can do nothing about.
 */
export function openSqlite(path: string, timeout: number): DatabaseSync {
  const { emitWarning } = process;
  process.emitWarning = (() => undefined) as typeof emitWarning;
  try {
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
    return new DatabaseSync(path, { timeout });
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** SQLITE_CORRUPT or SQLITE_NOTADB, with whatever is more exactly known: nothing in this file can be relied on. */
export function isCorrupt(error: unknown): boolean {
  const { errcode } = (error ?? {}) as { errcode?: unknown };
  return typeof errcode === 'number' && [11, 26].includes(errcode & 0xff);
}
