import { chmodSync, closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { SallyportError } from '../../errors.ts';
import { inspectLedger } from './sqlite-check.ts';
import { guarded, guardedAsync, openReadOnly } from './sqlite-open.ts';

/** All pages in one step: one unchanging view of the ledger, whoever commits meanwhile (a step by step copy would begin anew at each commit). */
const PAGES_A_STEP = 0x7fff_ffff;

/**
 * Copies a ledger, beside a running server, into a file of its own at `destination`: complete, durable and self-contained when this is
 * fulfilled, and not there at all before. Errors: ALREADY_EXISTS, NOT_FOUND, LEDGER_CORRUPT, LEDGER_TOO_NEW, LEDGER_UNAVAILABLE (of the
 * ledger), BAD_FILE (of the destination).
 */
export async function backUpLedger(path: string, destination: string): Promise<void> {
  if (!existsSync(path)) throw new SallyportError('NOT_FOUND', `There is no ledger at ${path}.`);
  if (existsSync(destination)) throw alreadyThere(destination);
  await guardedAsync(path, () => inspectLedger(path, 'mark'));
  const unfinished = `${destination}.unfinished-${process.pid}`;
  const source = guarded(path, () => openReadOnly(path));
  try {
    closeSync(openSync(unfinished, 'wx', 0o600));
    await backup(source, unfinished, { rate: PAGES_A_STEP });
    asOneFile(unfinished);
    chmodSync(unfinished, 0o600); // whatever the umask says
    syncPath(unfinished);
    linkSync(unfinished, destination);
    syncPath(dirname(destination));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw alreadyThere(destination);
    throw new SallyportError(
      'BAD_FILE',
      `The backup ${destination} could not be written: ${(cause as Error).message}.`,
      {
        cause,
      },
    );
  } finally {
    source.close();
    rmSync(unfinished, { force: true });
  }
}

/** A copy carries its source's write-ahead mode: without it, it needs no file beside it. A server that opens it sets the mode again. */
function asOneFile(path: string): void {
  const copy = new DatabaseSync(path);
  try {
    copy.exec('PRAGMA journal_mode = DELETE');
  } finally {
    copy.close();
  }
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function alreadyThere(destination: string): SallyportError {
  return new SallyportError('ALREADY_EXISTS', `${destination} is there already; a backup never replaces a file.`);
}
