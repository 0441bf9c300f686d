import type { DatabaseSync } from 'node:sqlite';
import type { JournalEntry } from '../entry.ts';
import type { CommittedTransfer } from '../transfers.ts';
import { damageOfLog } from './sqlite-log.ts';
import {
  ACCOUNT_COLUMNS,
  accountOf,
  CUSTOMER_COLUMNS,
  customerOf,
  HEAD,
  headOf,
  historyEntryOf,
  prepareQuery,
  type Query,
  RECEIPT,
  type Row,
  TRANSFER_COLUMNS,
  transferOf,
} from './sqlite-rows.ts';
import type { LedgerReader, ReadEntry, StructuralFinding } from './storage.ts';

/** Beyond any sequence: history without a cursor begins here. */
const SEQUENCE_END = 2n ** 63n - 1n;
/** Enough to see the kind of damage; the ledger is lost to normal use long before. */
const STRUCTURE_FINDINGS_MAX = 100;

const ENTRIES = `
  SELECT j.sequence, j.chain, j.kind, j.time_us, t.customer, t.transaction_id, t.content_type, t.body, t.receipt, c.document
  FROM journal j LEFT JOIN transactions t ON t.sequence = j.sequence LEFT JOIN changes c ON c.sequence = j.sequence
  WHERE j.sequence > ? ORDER BY j.sequence LIMIT ?`;

const TRANSFERS = `SELECT ${TRANSFER_COLUMNS}, sequence FROM transfers WHERE sequence > ? AND sequence <= ? ORDER BY sequence, position`;

const historyBranch = (side: 'debit' | 'credit'): string => `
  SELECT * FROM (SELECT * FROM transfers WHERE ${side}_account = ?1 AND (sequence, position) < (?2, ?3)
    ORDER BY sequence DESC, position DESC LIMIT ?4)`;

const HISTORY = `
  SELECT ${TRANSFER_COLUMNS}, f.sequence, position, time_us, transaction_id FROM (${historyBranch('debit')} UNION ALL ${historyBranch('credit')}) f
  JOIN transactions t ON t.sequence = f.sequence JOIN journal j ON j.sequence = f.sequence
  ORDER BY f.sequence DESC, f.position DESC LIMIT ?4`;

/** One read-only connection with its prepared statements. */
export class SqliteReader implements LedgerReader {
  readonly #database: DatabaseSync;
  readonly #queries = new Map<string, Query>();

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
    return headOf(this.#sql(HEAD).get());
  }

  async entries(after: bigint, limit: number): Promise<ReadEntry[]> {
    const rows = this.#sql(ENTRIES).all(after, limit);
    const last = rows.at(-1)?.[0] as bigint | undefined;
    if (last === undefined) return [];
    const transfers = new Map<bigint, CommittedTransfer[]>();
    for (const row of this.#sql(TRANSFERS).iterate(after, last)) {
      const sequence = row[7] as bigint;
      const list = transfers.get(sequence);
      if (list === undefined) transfers.set(sequence, [transferOf(row)]);
      else list.push(transferOf(row));
    }
    return rows.map((row) => {
      const [sequence, chain] = row as [bigint, Uint8Array];
      return { sequence, chain, entry: entryOf(row, transfers.get(sequence) ?? []) };
    });
  }

  async accounts(page: { owner?: string; after?: string; limit: number }): ReturnType<LedgerReader['accounts']> {
    const after = page.after ?? '';
    const rows =
      page.owner === undefined
        ? this.#sql(`SELECT ${ACCOUNT_COLUMNS} FROM accounts WHERE id > ? ORDER BY id LIMIT ?`).all(after, page.limit)
        : this.#sql(`SELECT ${ACCOUNT_COLUMNS} FROM accounts WHERE owner = ? AND id > ? ORDER BY id LIMIT ?`).all(
            page.owner,
            after,
            page.limit,
          );
    return rows.map(accountOf);
  }

  async customers(page: { after?: string; limit: number }): ReturnType<LedgerReader['customers']> {
    const rows = this.#sql(`SELECT ${CUSTOMER_COLUMNS} FROM customers WHERE id > ? ORDER BY id LIMIT ?`).all(
      page.after ?? '',
      page.limit,
    );
    return rows.map(customerOf);
  }

  async receipts(keys: Parameters<LedgerReader['receipts']>[0]): ReturnType<LedgerReader['receipts']> {
    const query = this.#sql(RECEIPT);
    return keys.map((key) => query.get(key.customerId, key.transactionId)?.[0] as Uint8Array | undefined);
  }

  async history(account: string, page: Parameters<LedgerReader['history']>[1]): ReturnType<LedgerReader['history']> {
    const { sequence, position = 0 } = page.before ?? { sequence: SEQUENCE_END };
    const rows = this.#sql(HISTORY).all(account, sequence, position, page.limit + 1);
    const entries = rows.slice(0, page.limit).map((row) => historyEntryOf(row, account));
    const last = entries.at(-1);
    const more = rows.length > page.limit && last !== undefined;
    return { entries, next: more ? { sequence: last.sequence, position: last.position } : undefined };
  }

  async structure(): Promise<StructuralFinding[]> {
    const damaged = this.#database
      .prepare(`PRAGMA integrity_check(${STRUCTURE_FINDINGS_MAX})`)
      .all()
      .filter((row) => row.integrity_check !== 'ok')
      .map((row) => ({ name: 'database-damaged' as const, detail: String(row.integrity_check) }));
    const orphaned = this.#database
      .prepare('PRAGMA foreign_key_check')
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

  #sql(text: string): Query {
    const known = this.#queries.get(text);
    if (known !== undefined) return known;
    const query = prepareQuery(this.#database, text);
    this.#queries.set(text, query);
    return query;
  }
}

/** Of a row of ENTRIES. */
function entryOf(row: Row, transfers: readonly CommittedTransfer[]): JournalEntry | undefined {
  const [sequence, , kind, timeUs] = row as [bigint, Uint8Array, JournalEntry['kind'], bigint];
  const [customerId, transactionId, contentType, body, receipt, document] = row.slice(4) as [
    string,
    Uint8Array,
    string,
    Uint8Array,
    Uint8Array | null,
    string | null,
  ];
  if (kind !== 'transaction') return document === null ? undefined : { sequence, timeUs, kind, document };
  if (receipt === null) return undefined;
  return { sequence, timeUs, kind, customerId, transactionId, contentType, body, receipt, transfers };
}
