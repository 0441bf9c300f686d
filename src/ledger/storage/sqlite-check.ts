import { timingSafeEqual } from 'node:crypto';
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { SallyportError } from '../../errors.ts';
import { chainAfter, EMPTY_HEAD } from '../entry.ts';
import { APPLICATION_ID, MIGRATIONS } from './migrations.ts';
import { damageOfLog } from './sqlite-log.ts';
import { openReadOnly, pragma, versionOf } from './sqlite-open.ts';
import { SqliteReader } from './sqlite-reader.ts';

/**
 * How much of a ledger is looked at before it is written to.
 *
 *   mark   that it is a ledger, of a version that is known here
 *   tail   also that no finished commit of its log is out of reach, that it is as long as it says, that its head is its journal's last
 *          entry, and that the newest entries are what the chain holds
 *   full   also every page, by SQLite's own check: reads the whole file
 */
export type LedgerCheck = 'mark' | 'tail' | 'full';

/** Newest entries whose hashes `tail` recomputes: the pages that were written last, in a few milliseconds. */
const TAIL_ENTRIES = 1_000;

/** Looks at a ledger without writing to it. Throws LEDGER_CORRUPT or LEDGER_TOO_NEW. */
export async function inspectLedger(path: string, check: LedgerCheck): Promise<void> {
  if (statSync(path).size === 0) throw corrupt(`The ledger ${path} is empty: it was cut off.`);
  if (check !== 'mark') checkLog(path);
  const database = openReadOnly(path);
  try {
    if (Number(pragma(database, 'application_id')) !== APPLICATION_ID)
      throw corrupt(`The file ${path} is a SQLite database, but not a Sallyport ledger.`);
    const version = versionOf(database);
    if (version > MIGRATIONS.length)
      throw new SallyportError(
        'LEDGER_TOO_NEW',
        `The ledger ${path} has schema version ${version}; this Sallyport knows versions up to ${MIGRATIONS.length}.`,
      );
    if (check === 'mark') return;
    checkLength(path, database);
    if (check === 'full') checkPages(path, database);
    if (version > 0) await checkTail(path, database);
  } finally {
    database.close();
  }
}

function checkLog(path: string): void {
  const damage = damageOfLog(path);
  if (damage !== undefined) throw corrupt(damage);
}

/**
 * With a log beside it the file may rightly be shorter: its newest pages are in the log until they are folded in. Others may commit and fold
 * meanwhile, so the file is measured once more behind the look at the log.
 */
function checkLength(path: string, database: DatabaseSync): void {
  const said = Number(pragma(database, 'page_count')) * Number(pragma(database, 'page_size'));
  if (statSync(path).size >= said) return;
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
  if (log !== undefined && log.size > 0) return;
  const { size } = statSync(path);
  if (size < said) throw corrupt(`The ledger ${path} was cut off: it has ${size} bytes and should have ${said}.`);
}

function checkPages(path: string, database: DatabaseSync): void {
  const damage = database.prepare('PRAGMA quick_check(1)').get()?.quick_check;
  if (damage !== 'ok') throw corrupt(`The ledger ${path} is damaged: ${String(damage)}.`);
}

async function checkTail(path: string, database: DatabaseSync): Promise<void> {
  if (!headIsLastEntry(database)) throw corrupt(`The head of the ledger ${path} is not the last entry of its journal.`);
  const reader = new SqliteReader(database);
  const head = await reader.head();
  const first = head.sequence > TAIL_ENTRIES ? head.sequence - BigInt(TAIL_ENTRIES) : 0n;
  const [before] = first === 0n ? [EMPTY_HEAD] : await reader.entries(first - 1n, 1);
  let chain = before?.chain;
  for (const { sequence, entry, chain: stored } of await reader.entries(first, TAIL_ENTRIES)) {
    if (chain === undefined || entry === undefined || !timingSafeEqual(chainAfter(chain, entry), stored))
      throw corrupt(`Entry ${sequence} of the ledger ${path} is not what was committed.`);
    chain = stored;
  }
}

function headIsLastEntry(database: DatabaseSync): boolean {
  const row = database
    .prepare(
      `SELECT (SELECT count(*) FROM head) AS heads, (SELECT count(*) FROM head h WHERE h.sequence = 0) AS empty,
        (SELECT max(sequence) FROM journal) AS last,
        (SELECT count(*) FROM head h JOIN journal j ON j.sequence = h.sequence AND j.chain = h.chain
          WHERE h.sequence = (SELECT max(sequence) FROM journal)) AS linked`,
    )
    .get();
  if (row?.heads !== 1n) return false;
  return row.last === null ? row.empty === 1n : row.linked === 1n;
}

function corrupt(message: string): SallyportError {
  return new SallyportError('LEDGER_CORRUPT', message);
}
