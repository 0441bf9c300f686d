import { SallyportError } from '../../errors.ts';

/** Primary result codes of SQLite (https://www.sqlite.org/rescode.html). */
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
/** Failures of the machine, not of the program: the first byte of SQLite's extended result code, and what a person reads. */
const UNAVAILABLE: ReadonlyMap<number, string> = new Map([
  [3, 'access was denied'],
  [5, 'another process held its lock for too long'],
  [6, 'another process held its lock for too long'],
  [7, 'the machine has no memory left'],
  [8, 'it is read-only'],
  [10, 'the disk failed to read or write'],
  [13, 'the disk is full, or the ledger reached its configured size'],
  [14, 'the file could not be opened'],
  [22, 'the file is too large for this machine'],
  [23, 'access was denied'],
]);

/**
 * What `error` means for a caller of the storage. Failures of the machine become LEDGER_UNAVAILABLE, damage LEDGER_CORRUPT; a broken constraint or
 * anything else is a bug, and stays what it is.
 */
export function storageError(path: string, error: unknown): unknown {
  if (error instanceof SallyportError || !(error instanceof Error)) return error;
  const { errcode, code } = error as Error & { errcode?: number; code?: string };
  if (code === 'ERR_SQLITE_ERROR' && errcode !== undefined) {
    const primary = errcode & 0xff;
    if (primary === SQLITE_CORRUPT || primary === SQLITE_NOTADB)
      return new SallyportError('LEDGER_CORRUPT', `The ledger ${path} is damaged: ${error.message}.`, { cause: error });
    const reason = UNAVAILABLE.get(primary);
    return reason === undefined
      ? error
      : new SallyportError('LEDGER_UNAVAILABLE', `The ledger ${path} is not available: ${reason} (${error.message}).`, {
          cause: error,
        });
  }
  // From the file system, at open.
  return (error as NodeJS.ErrnoException).syscall === undefined
    ? error
    : new SallyportError('LEDGER_UNAVAILABLE', `The ledger ${path} is not available: ${error.message}.`, {
        cause: error,
      });
}
