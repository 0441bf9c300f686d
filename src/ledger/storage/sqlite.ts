import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { assert, SallyportError } from '../../errors.ts';
import type { Account } from '../accounts.ts';
import { type ChainHead, type JournalEntry, sameHead } from '../entry.ts';
import type { CustomerRecord } from '../identity.ts';
import { inspectLedger, type LedgerCheck } from './sqlite-check.ts';
import { syncLog } from './sqlite-log.ts';
import {
  createLedgerFile,
  guarded,
  guardedAsync,
  ledgerExists,
  migrate,
  openReadOnly,
  openWritable,
  requireWritable,
} from './sqlite-open.ts';
import { SqliteReader } from './sqlite-reader.ts';
import {
  ACCOUNT_COLUMNS,
  accountOf,
  CUSTOMER_COLUMNS,
  customerOf,
  fieldsText,
  HEAD,
  headOf,
  prepareQuery,
  type Query,
  RECEIPT,
} from './sqlite-rows.ts';
import type { LedgerReader, LedgerStorage, Snapshot, SnapshotKeys, WriteSet } from './storage.ts';

export interface SqliteStorageOptions {
  readonly path: string;
  /** Refuses to create, migrate or write; leaves even damage to be looked at by `read`. */
  readonly readOnly?: boolean;
  /** How much is looked at before anything is written; `full` when left out. What is read only is never refused for damage. */
  readonly check?: LedgerCheck;
  /** The file's largest size in pages of 4096 bytes; beyond it commits are LEDGER_UNAVAILABLE and the ledger stays as it was. */
  readonly pagesMax?: number;
  /** How long a write waits for another process's, in milliseconds; LEDGER_LOCK_WAIT_MS when left out. */
  readonly lockWaitMs?: number;
}

/** Idle read connections that are kept. A server reads from one thread, one view at a time; a long export takes another. */
const IDLE_READERS_MAX = 4;

/**
 * A ledger in one SQLite file, with write-ahead log: several processes may read and write it, every commit is on the disk before it
 * returns. Synchronous inside, which is why a server runs it in a thread of its own (ledger-thread.ts).
 */
export class SqliteStorage implements LedgerStorage {
  readonly #options: SqliteStorageOptions;
  readonly #idleReaders: SqliteReader[] = [];
  #writer: Writer | undefined;
  #closed = true;

  constructor(options: SqliteStorageOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { path, readOnly = false, pagesMax, lockWaitMs, check = 'full' } = this.#options;
    await guardedAsync(path, async () => {
      if (!ledgerExists(path)) {
        if (readOnly) throw new SallyportError('NOT_FOUND', `There is no ledger at ${path}.`);
        createLedgerFile(path);
      }
      if (!readOnly) requireWritable(path);
      await inspectLedger(path, readOnly ? 'mark' : check);
      this.#closed = false;
      if (readOnly) return;
      const database = openWritable(path, lockWaitMs);
      if (pagesMax !== undefined) database.exec(`PRAGMA max_page_count = ${Math.trunc(pagesMax)}`);
      migrate(database);
      syncLog(path);
      this.#writer = new Writer(database);
    });
  }

  async load(keys: SnapshotKeys): Promise<Snapshot> {
    return guarded(this.#options.path, () => this.#writable().load(keys));
  }

  async commit(expected: ChainHead, writes: WriteSet): Promise<'committed' | 'head-moved'> {
    return guarded(this.#options.path, () => this.#writable().commit(expected, writes));
  }

  async read<T>(work: (reader: LedgerReader) => Promise<T>): Promise<T> {
    const { path } = this.#options;
    if (this.#closed) throw new SallyportError('LEDGER_UNAVAILABLE', `The ledger ${path} is closed.`);
    const reader = guarded(path, () => this.#idleReaders.pop() ?? new SqliteReader(openReadOnly(path)));
    try {
      guarded(path, () => reader.begin());
      return await work(reader).catch((error: unknown) => guarded(path, () => rethrow(error)));
    } finally {
      reader.end();
      if (this.#closed || this.#idleReaders.length >= IDLE_READERS_MAX) reader.close();
      else this.#idleReaders.push(reader);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const reader of this.#idleReaders.splice(0)) reader.close();
    // Last, so that SQLite folds the log into the file.
    this.#writer?.close();
    this.#writer = undefined;
  }

  #writable(): Writer {
    if (this.#writer !== undefined) return this.#writer;
    const { path, readOnly = false } = this.#options;
    throw new SallyportError(
      'LEDGER_UNAVAILABLE',
      readOnly ? `The ledger ${path} was opened for reading only.` : `The ledger ${path} is closed.`,
    );
  }
}

function rethrow(error: unknown): never {
  throw error;
}

class Writer {
  readonly #database: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #beginImmediate: StatementSync;
  readonly #commit: StatementSync;
  readonly #head: Query;
  readonly #account: Query;
  readonly #customer: Query;
  readonly #receipt: Query;
  readonly #setHead: StatementSync;
  readonly #addJournal: StatementSync;
  readonly #addTransaction: StatementSync;
  readonly #addTransfer: StatementSync;
  readonly #addChange: StatementSync;
  readonly #putAccount: StatementSync;
  readonly #putCustomer: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    const sql = (text: string): StatementSync => database.prepare(text);
    this.#begin = sql('BEGIN');
    this.#beginImmediate = sql('BEGIN IMMEDIATE');
    this.#commit = sql('COMMIT');
    this.#head = prepareQuery(database, HEAD);
    this.#account = prepareQuery(database, `SELECT ${ACCOUNT_COLUMNS} FROM accounts WHERE id = ?`);
    this.#customer = prepareQuery(database, `SELECT ${CUSTOMER_COLUMNS} FROM customers WHERE id = ?`);
    this.#receipt = prepareQuery(database, RECEIPT);
    this.#setHead = sql('UPDATE head SET sequence = ?, chain = ?, time_us = ?');
    this.#addJournal = sql('INSERT INTO journal VALUES (?, ?, ?, ?)');
    this.#addTransaction = sql('INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?)');
    this.#addTransfer = sql('INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#addChange = sql('INSERT INTO changes VALUES (?, ?)');
    this.#putAccount = sql(
      `INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET balance_limit = excluded.balance_limit, status = excluded.status, balance = excluded.balance`,
    );
    this.#putCustomer = sql(
      `INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET status = excluded.status,
         pepper_version = excluded.pepper_version, fields = excluded.fields, credential_digest = excluded.credential_digest`,
    );
  }

  load(keys: SnapshotKeys): Snapshot {
    return this.#transaction(this.#begin, () => {
      const head = headOf(this.#head.get());
      const accounts = new Map<string, Account>();
      for (const id of keys.accounts ?? []) {
        const row = this.#account.get(id);
        if (row !== undefined) accounts.set(id, accountOf(row));
      }
      const customers = new Map<string, CustomerRecord>();
      for (const id of keys.customers ?? []) {
        const row = this.#customer.get(id);
        if (row !== undefined) customers.set(id, customerOf(row));
      }
      const receipts = (keys.transactions ?? []).map(
        (key) => this.#receipt.get(key.customerId, key.transactionId)?.[0] as Uint8Array | undefined,
      );
      return { head, accounts, customers, receipts };
    });
  }

  commit(expected: ChainHead, writes: WriteSet): 'committed' | 'head-moved' {
    return this.#transaction(this.#beginImmediate, () => {
      if (!sameHead(expected, headOf(this.#head.get()))) return 'head-moved';
      // Accounts before the transfers that refer to them.
      for (const account of writes.accounts) this.#writeAccount(account);
      for (const customer of writes.customers) this.#writeCustomer(customer);
      for (const { entry, chain } of writes.entries) {
        this.#addJournal.run(entry.sequence, entry.kind, entry.timeUs, chain);
        this.#writeContent(entry);
      }
      const { changes } = this.#setHead.run(writes.head.sequence, writes.head.chain, writes.head.timeUs);
      assert(Number(changes) === 1, 'the ledger has one head');
      return 'committed';
    });
  }

  close(): void {
    this.#database.close();
  }

  #transaction<T>(begin: StatementSync, work: () => T): T {
    begin.run();
    try {
      const result = work();
      this.#commit.run();
      return result;
    } catch (error) {
      // Some failures (a full disk, for one) have rolled back already.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #writeAccount(account: Account): void {
    const { id, owner, currency, limit, status, balance, openedTimeUs } = account;
    this.#putAccount.run(id, owner, currency, limit ?? null, status, balance, openedTimeUs);
  }

  #writeCustomer(customer: CustomerRecord): void {
    const { id, status, pepperVersion, credentialDigest, createdTimeUs } = customer;
    this.#putCustomer.run(id, status, pepperVersion, fieldsText(customer), credentialDigest, createdTimeUs);
  }

  #writeContent(entry: JournalEntry): void {
    if (entry.kind !== 'transaction') {
      this.#addChange.run(entry.sequence, entry.document);
      return;
    }
    const { sequence, customerId, transactionId, contentType, body, receipt } = entry;
    this.#addTransaction.run(sequence, customerId, transactionId, contentType, body, receipt);
    for (const [position, transfer] of entry.transfers.entries())
      this.#addTransfer.run(
        sequence,
        position,
        transfer.debitAccount,
        transfer.creditAccount,
        transfer.amount,
        transfer.currency,
        transfer.reference,
        transfer.debitBalance,
        transfer.creditBalance,
      );
  }
}
