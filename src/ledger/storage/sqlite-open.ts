import { accessSync, chmodSync, constants, existsSync, linkSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SallyportError } from '../../errors.ts';
import { LEDGER_LOCK_WAIT_MS } from '../../limits.ts';
import { APPLICATION_ID, MIGRATIONS } from './migrations.ts';
import { storageError } from './sqlite-errors.ts';

/** Readable and writable by the account that runs the server alone. */
const LEDGER_FILE_MODE = 0o600;

/** For reading while others write: no migration, no recovery that writes to the file. */
export function openReadOnly(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true, timeout: LEDGER_LOCK_WAIT_MS, readBigInts: true });
  database.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;');
  return database;
}

/** For reading and writing, with every commit flushed to the disk before it returns. */
export function openWritable(path: string, lockWaitMs: number = LEDGER_LOCK_WAIT_MS): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: lockWaitMs, readBigInts: true });
  try {
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA fullfsync = ON;
      PRAGMA foreign_keys = ON;
      PRAGMA trusted_schema = OFF;
      PRAGMA cell_size_check = ON;
      PRAGMA cache_size = -65536;
      PRAGMA journal_size_limit = 67108864;
    `);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/**
 * Makes a new ledger under another name and links it into place whole. So a file at `path` was complete once: an empty or short one
 * is damage, never a beginning.
 */
export function createLedgerFile(path: string): void {
  const unfinished = `${path}.creating-${process.pid}`;
  rmSync(unfinished, { force: true });
  try {
    const database = openWritable(unfinished);
    try {
      chmodSync(unfinished, LEDGER_FILE_MODE);
      database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      migrate(database);
    } finally {
      database.close();
    }
    try {
      linkSync(unfinished, path);
    } catch (error) {
      // Another process made the ledger first: that one counts.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  } finally {
    for (const suffix of ['', '-wal', '-shm']) rmSync(unfinished + suffix, { force: true });
  }
}

/** Applies the steps that a ledger lacks, each in a transaction of its own. */
export function migrate(database: DatabaseSync): void {
  for (let version = versionOf(database); version < MIGRATIONS.length; version++) {
    database.exec('BEGIN IMMEDIATE');
    try {
      // Another process may have migrated while this one waited for the lock.
      if (versionOf(database) === version) {
        database.exec(MIGRATIONS[version]!);
        database.exec(`PRAGMA user_version = ${version + 1}`);
      }
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }
}

/** Whether there is a ledger at `path`; LEDGER_CORRUPT when there is only a part of one. */
export function ledgerExists(path: string): boolean {
  if (existsSync(path)) return true;
  if (existsSync(`${path}-wal`))
    throw new SallyportError('LEDGER_CORRUPT', `The ledger ${path} is gone, and its log ${path}-wal is still there.`);
  return false;
}

/**
 * Throws LEDGER_UNAVAILABLE when the ledger, the files beside it or its directory may not be written. Asked before SQLite opens anything: it
 * opens such a file for reading without a word, and gives the files beside it the same mode, which then outlast the mistake.
 */
export function requireWritable(path: string): void {
  for (const each of [dirname(path), path, `${path}-wal`, `${path}-shm`]) {
    if (!existsSync(each)) continue;
    try {
      accessSync(each, constants.W_OK);
    } catch (cause) {
      throw new SallyportError(
        'LEDGER_UNAVAILABLE',
        `The ledger ${path} cannot be written: ${(cause as Error).message}.`,
        {
          cause,
        },
      );
    }
  }
}

/** How many of the migrations were applied. */
export function versionOf(database: DatabaseSync): number {
  return Number(pragma(database, 'user_version'));
}

/** The value of a pragma that has one number. */
export function pragma(
  database: DatabaseSync,
  name: 'user_version' | 'application_id' | 'page_count' | 'page_size',
): unknown {
  return database.prepare(`PRAGMA ${name}`).get()?.[name];
}

/** Runs `work`, turning what SQLite and the file system throw into the product's errors. */
export function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw storageError(path, error);
  }
}

/** The same for what is asynchronous. */
export async function guardedAsync<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(path, error);
  }
}
