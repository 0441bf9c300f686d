import type { Account } from '../accounts.ts';
import type { ChainHead, JournalEntry } from '../entry.ts';
import type { CustomerRecord } from '../identity.ts';
import type { HistoryCursor, HistoryPage } from '../service.ts';

export interface TransactionKey {
  readonly customerId: string;
  /** 16 bytes. */
  readonly transactionId: Uint8Array;
}

/** Everything one batch needs to know, read at one moment. */
export interface Snapshot {
  readonly head: ChainHead;
  /** Those asked for that exist. */
  readonly accounts: ReadonlyMap<string, Account>;
  readonly customers: ReadonlyMap<string, CustomerRecord>;
  /** In the order asked: the stored receipt, or undefined. */
  readonly receipts: readonly (Uint8Array | undefined)[];
}

export interface SnapshotKeys {
  readonly accounts?: Iterable<string>;
  readonly customers?: Iterable<string>;
  readonly transactions?: readonly TransactionKey[];
}

/** What one commit writes. */
export interface WriteSet {
  /** New journal entries with their chain hashes, their sequences following the head's without a gap. */
  readonly entries: readonly StoredEntry[];
  /** New or changed accounts and customers, whole. */
  readonly accounts: readonly Account[];
  readonly customers: readonly CustomerRecord[];
  /** The head after it. */
  readonly head: ChainHead;
}

/** A journal entry with the chain hash stored beside it. */
export interface StoredEntry {
  readonly entry: JournalEntry;
  readonly chain: Uint8Array;
}

/** What a reader finds in the journal: `entry` is undefined when the row is there and its content is gone, which only damage does. */
export interface ReadEntry {
  readonly sequence: bigint;
  readonly entry: JournalEntry | undefined;
  readonly chain: Uint8Array;
}

/** A named damage found by the storage itself, below the level of journal entries. */
export interface StructuralFinding {
  readonly name: 'database-damaged' | 'orphaned-row';
  readonly detail: string;
}

/** A view of the ledger that stands still while others write. */
export interface LedgerReader {
  head(): Promise<ChainHead>;
  /** Journal entries with a sequence above `after`, ascending, at most `limit`. */
  entries(after: bigint, limit: number): Promise<ReadEntry[]>;
  /** Accounts with an id above `after`, ascending, of one owner when given. */
  accounts(page: { owner?: string; after?: string; limit: number }): Promise<Account[]>;
  customers(page: { after?: string; limit: number }): Promise<CustomerRecord[]>;
  /** The receipts that the idempotency lookup finds. */
  receipts(keys: readonly TransactionKey[]): Promise<(Uint8Array | undefined)[]>;
  /** Newest first; the caller has checked who owns the account. */
  history(account: string, page: { before?: HistoryCursor; limit: number }): Promise<HistoryPage>;
  /** Damage that only the storage can see: broken pages, rows that no entry owns. */
  structure(): Promise<StructuralFinding[]>;
}

/**
 * Where a ledger is kept. Asynchronous and batched, so that a networked database can implement it: `load` and `commit` are one round
 * trip each. Writers are optimistic: a commit names the head it was computed from, and is refused when another writer was faster.
 *
 * Errors: LEDGER_UNAVAILABLE (could not be read or written; after a failed commit nothing of it is stored, unless the machine failed
 * while it was written: ask again), LEDGER_TOO_NEW and LEDGER_CORRUPT from `open`. Nothing else is thrown but bugs.
 */
export interface LedgerStorage {
  /** Creates or migrates the schema when needed. A damaged or newer ledger is refused and left as it was. */
  open(): Promise<void>;
  load(keys: SnapshotKeys): Promise<Snapshot>;
  /** All or nothing, and durable when it is fulfilled with 'committed'. */
  commit(expected: ChainHead, writes: WriteSet): Promise<'committed' | 'head-moved'>;
  /** Runs `work` over an unchanging view. */
  read<T>(work: (reader: LedgerReader) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
