/** The journal on disk: published whole, appended to by one process at a time, torn tail cut off. */

import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { link, open, readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SallyportError } from '../../errors.ts';
import { TRANSACTION_ID_BYTES } from '../../limits.ts';
import {
  encodePlan,
  encodeSettled,
  type JournalState,
  type JournalSubject,
  readJournal,
  type SettledRow,
} from './journal.ts';

/** An open journal. Close it in any case: it holds a lock. */
export class Journal {
  readonly path: string;
  readonly state: JournalState;
  /** Whether an earlier run had written it. */
  readonly resumed: boolean;
  readonly #descriptor: number;
  readonly #lockPath: string;

  constructor(path: string, lockPath: string, descriptor: number, state: JournalState, resumed: boolean) {
    this.path = path;
    this.state = state;
    this.resumed = resumed;
    this.#descriptor = descriptor;
    this.#lockPath = lockPath;
  }

  /** Notes a row (from 0) as settled. Synchronous: a hundred bytes to the page cache; losing them costs one more question. */
  settle(row: number, settled: SettledRow): void {
    writeSync(this.#descriptor, encodeSettled(row, settled));
  }

  async close(): Promise<void> {
    try {
      fdatasyncSync(this.#descriptor);
    } finally {
      closeSync(this.#descriptor);
      await unlink(this.#lockPath);
    }
  }
}

/**
 * Opens the journal of a batch: the one an earlier run left, or a new one with a fresh id for every row, durable when this returns.
 * Throws SallyportError BAD_FILE: of another batch or customer, damaged, or in use by a running process.
 */
export async function openJournal(path: string, subject: JournalSubject): Promise<Journal> {
  const lockPath = `${path}.lock`;
  await takeLock(lockPath, path);
  try {
    const existing = await readIfThere(path);
    if (existing === undefined) await publishPlan(path, subject);
    const state = checkedState(path, subject, existing ?? (await readFile(path)));
    const descriptor = openSync(path, 'a');
    ftruncateSync(descriptor, state.wholeBytes);
    return new Journal(path, lockPath, descriptor, state, existing !== undefined);
  } catch (error) {
    await unlink(lockPath);
    throw error;
  }
}

function checkedState(path: string, subject: JournalSubject, content: Uint8Array): JournalState {
  const reading = readJournal(content);
  if (reading.kind === 'incomplete') {
    throw new SallyportError(
      'BAD_FILE',
      `the journal ${path} ends before its last transaction id, so which payments were sent cannot be known from it; restore it from a backup, or look at "sallyport history" before paying under a new journal`,
    );
  }
  if (reading.kind === 'damaged') {
    throw new SallyportError('BAD_FILE', `line ${reading.line} of the journal ${path} ${reading.fault}`);
  }
  const { state } = reading;
  if (state.subject.batch !== subject.batch) {
    throw new SallyportError(
      'BAD_FILE',
      `these are not the payments that were begun under the journal ${path}: the batch file, or the account or currency given for it, was changed. Put it back to go on, and pay what is new as another batch`,
    );
  }
  if (state.subject.customer !== subject.customer) {
    throw new SallyportError(
      'BAD_FILE',
      `the journal ${path} belongs to customer ${state.subject.customer}, not to ${subject.customer}`,
    );
  }
  if (state.subject.rows !== subject.rows) {
    throw new SallyportError(
      'BAD_FILE',
      `the journal ${path} has ${state.subject.rows} rows and the batch ${subject.rows}`,
    );
  }
  return state;
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw unusable(path, error);
  }
}

/** Writes the plan beside its place, makes it durable, and links it there: it is seen whole or not at all, and never replaces one. */
async function publishPlan(path: string, subject: JournalSubject): Promise<void> {
  const ids = Array.from({ length: subject.rows }, () => randomBytes(TRANSACTION_ID_BYTES).toString('hex'));
  const draft = `${path}.${randomBytes(6).toString('hex')}.draft`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(encodePlan(subject, ids));
      await file.sync();
    } finally {
      await file.close();
    }
    try {
      await link(draft, path);
    } finally {
      await unlink(draft);
    }
    syncDirectory(dirname(path));
  } catch (error) {
    throw unusable(path, error);
  }
}

/** A new name is durable when its directory is (fsync(2)). */
function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * One process at a time: the lock holds its id, and one whose process is gone is taken over. Two that take over in the same instant
 * would both run: their payments are still made once, by their ids; only the journal's lines could mix.
 */
async function takeLock(lockPath: string, journalPath: string): Promise<void> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = await open(lockPath, 'wx', 0o600);
      await file.writeFile(String(process.pid));
      await file.close();
      return;
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw unusable(journalPath, error);
    }
    const holder = Number.parseInt(Buffer.from((await readIfThere(lockPath)) ?? []).toString('latin1'), 10);
    if (isAlive(holder)) {
      throw new SallyportError(
        'BAD_FILE',
        `the journal ${journalPath} is in use by process ${holder}, which pays this batch already`,
      );
    }
    await unlink(lockPath);
  }
  throw new SallyportError('BAD_FILE', `the lock ${lockPath} could not be taken`);
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrno(error, 'EPERM');
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

function unusable(path: string, cause: unknown): SallyportError {
  if (cause instanceof SallyportError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SallyportError('BAD_FILE', `the journal ${path} cannot be used: ${reason}`, { cause });
}
