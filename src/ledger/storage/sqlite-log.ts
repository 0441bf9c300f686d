import { closeSync, existsSync, fsyncSync, openSync } from 'node:fs';

/**
 * Flushes the log to the disk. A process that died may have written a commit and not flushed it: whoever opens the ledger next finds it, and
 * must not tell anybody of it before it is where no power failure reaches it. (Closing a descriptor gives up the process's locks on its file;
 * SQLite locks the database and the shared memory, never the log.)
 */
export function syncLog(path: string): void {
  const log = `${path}-wal`;
  if (!existsSync(log)) return;
  const descriptor = openSync(log, 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
