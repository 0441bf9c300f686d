import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { JournalEntry } from '../entry.ts';
import type { CommittedTransfer } from '../transfers.ts';
import { damageOfLog } from './sqlite-log.ts';
import { accountOf, customerOf, headOf, historyEntryOf, type Row, transferOf } from './sqlite-rows.ts';
import type { LedgerReader, ReadEntry, StructuralFinding } from './storage.ts';

/** Beyond any sequence: history without a cursor begins here. */
const SEQUENCE_END = 2n ** 63n - 1n;
/** Enough to see the kind of damage; the ledger is lost to normal use long before. */
const STRUCTURE_FINDINGS_MAX = 100;

const ENTRIES = `
  SELECT j.sequence, j.kind, j.time_us, j.chain, t.customer, t.transaction_id, t.content_type, t.body, t.receipt, c.document
  FROM journal j LEFT JOIN transactions t ON t.sequence = j.sequence LEFT JOIN changes c ON c.sequence = j.sequence
  WHERE j.sequence > ? ORDER BY j.sequence LIMIT ?`;

const TRANSFERS = 'SELECT * FROM transfers WHERE sequence > ? AND sequence <= ? ORDER BY sequence, position';

const historyBranch = (side: 'debit' | 'credit'): string => `
  SELECT * FROM (SELECT * FROM transfers WHERE ${side}_account = :account AND (sequence, position) < (:sequence, :position)
    ORDER BY sequence DESC, position DESC LIMIT :count)`;

const HISTORY = `
  SELECT f.*, j.time_us, t.transaction_id FROM (${historyBranch('debit')} UNION ALL ${historyBranch('credit')}) f
  JOIN transactions t ON t.sequence = f.sequence JOIN journal j ON j.sequence = f.sequence
  ORDER BY f.sequence DESC, f.position DESC LIMIT :count`;

/** One read-only connection with its prepared statements. */
export class SqliteReader implements LedgerReader {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Holds one view of the ledger until `end`. */
  begin(): void {
    this.#database.exec('BEGIN');
  }

  end(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
  }

  close(): void {
    this.#database.close();
  }

  async head(): ReturnType<LedgerReader['head']> {
    return headOf(this.#sql('SELECT sequence, chain, time_us FROM head').get());
  }

  async entries(after: bigint, limit: number): Promise<ReadEntry[]> {
    const rows: Row[] = this.#sql(ENTRIES).all(after, limit);
    const last = rows.at(-1)?.sequence as bigint | undefined;
    if (last === undefined) return [];
    const transfers = new Map<bigint, CommittedTransfer[]>();
    for (const row of this.#sql(TRANSFERS).iterate(after, last)) {
      const sequence = row.sequence as bigint;
      const list = transfers.get(sequence);
      if (list === undefined) transfers.set(sequence, [transferOf(row)]);
      else list.push(transferOf(row));
    }
    return rows.map((row) => {
      const sequence = row.sequence as bigint;
      return { sequence, chain: row.chain as Uint8Array, entry: entryOf(row, transfers.get(sequence) ?? []) };
    });
  }

  async accounts(page: { owner?: string; after?: string; limit: number }): ReturnType<LedgerReader['accounts']> {
    const after = page.after ?? '';
    const rows: Row[] =
      page.owner === undefined
        ? this.#sql('SELECT * FROM accounts WHERE id > ? ORDER BY id LIMIT ?').all(after, page.limit)
        : this.#sql('SELECT * FROM accounts WHERE owner = ? AND id > ? ORDER BY id LIMIT ?').all(
            page.owner,
            after,
            page.limit,
          );
    return rows.map(accountOf);
  }

  async customers(page: { after?: string; limit: number }): ReturnType<LedgerReader['customers']> {
    const rows: Row[] = this.#sql('SELECT * FROM customers WHERE id > ? ORDER BY id LIMIT ?').all(
      page.after ?? '',
      page.limit,
    );
    return rows.map(customerOf);
  }

  async receipts(keys: Parameters<LedgerReader['receipts']>[0]): ReturnType<LedgerReader['receipts']> {
    const statement = this.#sql('SELECT receipt FROM transactions WHERE customer = ? AND transaction_id = ?');
    return keys.map((key) => statement.get(key.customerId, key.transactionId)?.receipt as Uint8Array | undefined);
  }

  async history(account: string, page: Parameters<LedgerReader['history']>[1]): ReturnType<LedgerReader['history']> {
    const rows: Row[] = this.#sql(HISTORY).all({
      account,
      sequence: page.before?.sequence ?? SEQUENCE_END,
      position: page.before?.position ?? 0,
      count: page.limit + 1,
    });
    const entries = rows.slice(0, page.limit).map((row) => historyEntryOf(row, account));
    const last = entries.at(-1);
    const more = rows.length > page.limit && last !== undefined;
    return { entries, next: more ? { sequence: last.sequence, position: last.position } : undefined };
  }

  async structure(): Promise<StructuralFinding[]> {
    const damaged = this.#sql(`PRAGMA integrity_check(${STRUCTURE_FINDINGS_MAX})`)
      .all()
      .filter((row) => row.integrity_check !== 'ok')
      .map((row) => ({ name: 'database-damaged' as const, detail: String(row.integrity_check) }));
    const orphaned = this.#sql('PRAGMA foreign_key_check')
      .all()
      .slice(0, STRUCTURE_FINDINGS_MAX)
      .map((row) => ({
        name: 'orphaned-row' as const,
        detail: `a row of ${String(row.table)}${row.rowid === null ? '' : ` (${String(row.rowid)})`} refers to a missing row of ${String(row.parent)}`,
      }));
    return [...this.#logDamage(), ...damaged, ...orphaned];
  }

  #logDamage(): StructuralFinding[] {
    const path = this.#database.location();
    const damage = path === null ? undefined : damageOfLog(path);
    return damage === undefined ? [] : [{ name: 'database-damaged', detail: damage }];
  }

  #sql(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }
}

function entryOf(row: Row, transfers: readonly CommittedTransfer[]): JournalEntry | undefined {
  const base = { sequence: row.sequence as bigint, timeUs: row.time_us as bigint };
  const kind = row.kind as JournalEntry['kind'];
  if (kind !== 'transaction')
    return row.document === null ? undefined : { ...base, kind, document: row.document as string };
  if (row.receipt === null) return undefined;
  return {
    ...base,
    kind,
    customerId: row.customer as string,
    transactionId: row.transaction_id as Uint8Array,
    contentType: row.content_type as string,
    body: row.body as Uint8Array,
    receipt: row.receipt as Uint8Array,
    transfers,
  };
}
