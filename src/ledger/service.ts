import type { Account, AccountStatus } from './accounts.ts';
import type { CustomerRecord, CustomerStatus } from './identity.ts';

/** One transaction as it came from an authenticated session (or from the operator). */
export interface SubmittedTransaction {
  readonly customerId: string;
  /** 16 bytes chosen by the customer: the same id with the same document is the same transaction. */
  readonly transactionId: Uint8Array;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** The wire codes by which a transaction is turned away without being stored (docs/PROTOCOL.md, REFUSAL). */
export type RefusalCode = 'TRANSACTION_MALFORMED' | 'IDEMPOTENCY_CONFLICT' | 'INTERNAL';

/** What became of a submitted transaction: durable when the promise that carries it is fulfilled. */
export type SubmitResult =
  | {
      readonly kind: 'receipt';
      /** The signed receipt as it goes on the wire (docs/PROTOCOL.md section 8). */
      readonly receipt: Uint8Array;
      /** True when this transaction was stored before, and this is that same receipt. */
      readonly replayed: boolean;
    }
  | {
      readonly kind: 'refusal';
      readonly code: RefusalCode;
      /** A sentence for the customer, at most 512 bytes of UTF-8. */
      readonly text: string;
    };

/** Where a page of history goes on: entries older than this one. */
export interface HistoryCursor {
  readonly sequence: bigint;
  /** Which transfer of that transaction; without it, the page begins with the transaction before. */
  readonly position?: number;
}

/** One transfer as one account saw it. */
export interface HistoryEntry {
  readonly sequence: bigint;
  /** Which of the transaction's committed transfers, from 0. */
  readonly position: number;
  readonly timeUs: bigint;
  readonly transactionId: Uint8Array;
  readonly debitAccount: string;
  readonly creditAccount: string;
  readonly currency: string;
  /** Signed: negative when the account was debited. Minor units. */
  readonly amount: bigint;
  /** The account's balance after it. */
  readonly balance: bigint;
  readonly reference: string;
}

export interface HistoryPage {
  /** Newest first. */
  readonly entries: readonly HistoryEntry[];
  /** Given when there is more: the cursor of the next, older page. */
  readonly next: HistoryCursor | undefined;
}

export interface AccountOpening {
  readonly id: string;
  readonly owner: string;
  readonly currency: string;
  /** Lowest balance allowed, minor units; 0 when left out. */
  readonly limit?: bigint;
}

export interface Funding {
  readonly account: string;
  /** Minor units, above 0. */
  readonly amount: bigint;
  readonly reference?: string;
  /** 16 bytes; the same id funds once. */
  readonly transactionId: Uint8Array;
}

/**
 * The ledger as its callers see it: `Ledger` itself in the same thread, `LedgerClient` from another. Every method may reject with a
 * SallyportError: LEDGER_UNAVAILABLE (the outcome of what was submitted is unknown: ask again with the same id) or BUSY (the queue is
 * full: nothing was done).
 */
export interface LedgerService {
  /** Processes transactions in order, in one or more durable commits. One result for each, in order. */
  submit(batch: readonly SubmittedTransaction[]): Promise<SubmitResult[]>;
  /** The records of these customers, undefined where there is none. */
  findCustomers(ids: readonly string[]): Promise<(CustomerRecord | undefined)[]>;
  /**
   * For comparing identities: the records of these customers, and where there is none that of another customer (undefined in a ledger
   * without any), so that an id that is not enrolled costs the same look-ups and the same answer. Whoever compares looks at the record's id.
   */
  findIdentities(ids: readonly string[]): Promise<(CustomerRecord | undefined)[]>;
  /** The customer's own accounts, by id. */
  balances(customerId: string): Promise<Account[]>;
  /** A page of an account's history, newest first; undefined when the account is not the customer's own. `limit` is at most 100. */
  history(
    customerId: string,
    account: string,
    page: { before?: HistoryCursor; limit: number },
  ): Promise<HistoryPage | undefined>;

  // The operator's side.

  /** ALREADY_EXISTS when the id is taken; BAD_ARGUMENT when it is no customer id or is reserved. */
  enroll(record: Omit<CustomerRecord, 'createdTimeUs' | 'status'>): Promise<CustomerRecord>;
  /** NOT_FOUND when there is no such customer. */
  setCustomerStatus(id: string, status: CustomerStatus): Promise<CustomerRecord>;
  listCustomers(page: { after?: string; limit: number }): Promise<CustomerRecord[]>;
  /** Opens an account, and the operator's equity account of its currency when that is the first. ALREADY_EXISTS, NOT_FOUND (owner), BAD_ARGUMENT. */
  openAccount(opening: AccountOpening): Promise<Account>;
  setAccountStatus(id: string, status: AccountStatus): Promise<Account>;
  listAccounts(page: { owner?: string; after?: string; limit: number }): Promise<Account[]>;
  /** Credits an account from the operator's equity account, as a transaction of its own with a receipt. */
  fund(funding: Funding): Promise<SubmitResult>;
}
