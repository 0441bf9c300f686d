import { assert, SallyportError } from '../errors.ts';
import {
  ACCOUNTS_PER_CUSTOMER_MAX,
  HISTORY_PAGE_MAX,
  LEDGER_BATCH_BYTES_MAX,
  LEDGER_BATCH_TRANSACTIONS_MAX,
  LEDGER_COMMIT_ATTEMPTS_MAX,
  LIST_PAGE_MAX,
  TRANSACTION_BODY_BYTES_MAX,
  TRANSACTION_ID_BYTES,
} from '../limits.ts';
import { isContentType } from '../wire/receipt.ts';
import { type Account, type AccountStatus, equityAccountId, isCustomerId, OPERATOR } from './accounts.ts';
import {
  changeAccountStatus,
  changeCustomerStatus,
  enrollCustomer,
  type Operation,
  openAccount,
  reenrollCustomer,
} from './administration.ts';
import { formatAmount, quote } from './amounts.ts';
import { executeBatch, internalRefusal, keysOf, prepareTransaction, type ReportProcessorFailure } from './batch.ts';
import type { CustomerRecord, CustomerStatus } from './identity.ts';
import type { ProcessorRegistry } from './processor-registry.ts';
import type { ReceiptSigner } from './receipts.ts';
import type {
  AccountOpening,
  Funding,
  HistoryCursor,
  HistoryPage,
  LedgerService,
  SubmitResult,
  SubmittedTransaction,
} from './service.ts';
import type { LedgerStorage } from './storage/storage.ts';
import { TRANSFER_CONTENT_TYPE } from './transfer-processor.ts';

export interface LedgerOptions {
  /** Opened already. */
  readonly storage: LedgerStorage;
  readonly processors: ProcessorRegistry;
  readonly signer: ReceiptSigner;
  /** Microseconds since 1970-01-01 UTC; the machine's clock when left out. */
  readonly clock?: () => bigint;
  /** Told of processors that failed; nobody when left out. */
  readonly report?: ReportProcessorFailure;
}

/** BAD_ARGUMENT unless the transaction is one that the wire could have carried. */
export function checkSubmitted(transaction: SubmittedTransaction): void {
  const { customerId, transactionId, contentType, body } = transaction;
  const wrong = !isCustomerId(customerId)
    ? 'customer id'
    : transactionId.length !== TRANSACTION_ID_BYTES
      ? 'transaction id'
      : !isContentType(contentType)
        ? 'content type'
        : body.length > TRANSACTION_BODY_BYTES_MAX
          ? 'body'
          : undefined;
  if (wrong !== undefined)
    throw new SallyportError('BAD_ARGUMENT', `The ${wrong} of a submitted transaction is outside its limits.`);
}

/** No customer's id: it has a character none may have, and the length of one. */
const NOBODY = '-nobody-';

/** The ledger over a storage, in this thread. Writers run one after another; another process may write too. */
export class Ledger implements LedgerService {
  readonly #storage: LedgerStorage;
  readonly #processors: ProcessorRegistry;
  readonly #signer: ReceiptSigner;
  readonly #clock: () => bigint;
  readonly #report: ReportProcessorFailure;
  #lastWrite: Promise<unknown> = Promise.resolve();
  /** A customer that is there: customers are never removed. */
  #decoy: string | undefined;

  constructor(options: LedgerOptions) {
    this.#storage = options.storage;
    this.#processors = options.processors;
    this.#signer = options.signer;
    this.#clock = options.clock ?? (() => BigInt(Date.now()) * 1000n);
    this.#report = options.report ?? (() => undefined);
  }

  async submit(batch: readonly SubmittedTransaction[]): Promise<SubmitResult[]> {
    for (const transaction of batch) checkSubmitted(transaction);
    return this.#exclusively(async () => {
      const results: SubmitResult[] = [];
      for (const part of partsOf(batch)) results.push(...(await this.#commitPart(part)));
      return results;
    });
  }

  async findCustomers(ids: readonly string[]): Promise<(CustomerRecord | undefined)[]> {
    const { customers } = await this.#storage.load({ customers: new Set(ids) });
    return ids.map((id) => customers.get(id));
  }

  /**
   * Every id costs one look-up that finds a record and one that does not, and a record handed over: who is there is followed by somebody
   * who cannot be there, who is not by a decoy. All first look-ups are one view of the ledger, and all second ones another.
   */
  async findIdentities(ids: readonly string[]): Promise<(CustomerRecord | undefined)[]> {
    this.#decoy ??= (await this.listCustomers({ limit: 1 }))[0]?.id;
    const decoy = this.#decoy;
    if (decoy === undefined) return ids.map(() => undefined);
    const { customers } = await this.#storage.load({ customers: ids });
    const seconds = ids.map((id) => (customers.has(id) ? NOBODY : decoy));
    const decoys = await this.#storage.load({ customers: seconds });
    return ids.map((id) => customers.get(id) ?? decoys.customers.get(decoy));
  }

  async balances(customerId: string): Promise<Account[]> {
    return this.#storage.read((reader) =>
      reader.accounts({
        owner: customerId,
        limit: customerId === OPERATOR ? LIST_PAGE_MAX : ACCOUNTS_PER_CUSTOMER_MAX,
      }),
    );
  }

  async history(
    customerId: string,
    account: string,
    page: { before?: HistoryCursor; limit: number },
  ): Promise<HistoryPage | undefined> {
    const { accounts } = await this.#storage.load({ accounts: [account] });
    if (accounts.get(account)?.owner !== customerId) return undefined;
    return this.#storage.read((reader) =>
      reader.history(account, { ...page, limit: pageLimit(page.limit, HISTORY_PAGE_MAX) }),
    );
  }

  async enroll(record: Omit<CustomerRecord, 'createdTimeUs' | 'status'>): Promise<CustomerRecord> {
    return this.#administer(enrollCustomer(record));
  }

  async reenroll(record: Omit<CustomerRecord, 'createdTimeUs' | 'status'>): Promise<CustomerRecord> {
    return this.#administer(reenrollCustomer(record));
  }

  async setCustomerStatus(id: string, status: CustomerStatus): Promise<CustomerRecord> {
    return this.#administer(changeCustomerStatus(id, status));
  }

  async listCustomers(page: { after?: string; limit: number }): Promise<CustomerRecord[]> {
    return this.#storage.read((reader) => reader.customers({ ...page, limit: pageLimit(page.limit, LIST_PAGE_MAX) }));
  }

  async openAccount(opening: AccountOpening): Promise<Account> {
    const owned = async (): Promise<number> => (await this.balances(opening.owner)).length;
    return this.#administer(openAccount(opening, owned));
  }

  async setAccountStatus(id: string, status: AccountStatus): Promise<Account> {
    return this.#administer(changeAccountStatus(id, status));
  }

  async listAccounts(page: { owner?: string; after?: string; limit: number }): Promise<Account[]> {
    return this.#storage.read((reader) => reader.accounts({ ...page, limit: pageLimit(page.limit, LIST_PAGE_MAX) }));
  }

  async fund(funding: Funding): Promise<SubmitResult> {
    const { accounts } = await this.#storage.load({ accounts: [funding.account] });
    const account = accounts.get(funding.account);
    if (account === undefined) throw new SallyportError('NOT_FOUND', `There is no account ${quote(funding.account)}.`);
    if (funding.amount <= 0n) throw new SallyportError('BAD_ARGUMENT', 'An amount to fund is above zero.');
    const document = {
      from: equityAccountId(account.currency),
      to: account.id,
      amount: formatAmount(funding.amount, account.currency),
      currency: account.currency,
      ...(funding.reference === undefined ? {} : { reference: funding.reference }),
    };
    const [result] = await this.submit([
      {
        customerId: OPERATOR,
        transactionId: funding.transactionId,
        contentType: TRANSFER_CONTENT_TYPE,
        body: Buffer.from(JSON.stringify(document), 'utf8'),
      },
    ]);
    assert(result !== undefined, 'one transaction has one result');
    return result;
  }

  /** Waits for the writes that run, and closes the storage. */
  async close(): Promise<void> {
    await this.#exclusively(() => this.#storage.close());
  }

  /** Commits a part as one batch. When a bug stops it, each of its transactions is tried alone: one cannot hold up the others. */
  async #commitPart(part: readonly SubmittedTransaction[]): Promise<SubmitResult[]> {
    try {
      return await this.#commitBatch(part);
    } catch (error) {
      if (error instanceof SallyportError) throw error;
      const [first] = part;
      assert(first !== undefined, 'no part is empty');
      if (part.length === 1) {
        this.#report(first.contentType, error);
        return [internalRefusal()];
      }
      const results: SubmitResult[] = [];
      for (const transaction of part) results.push(...(await this.#commitPart([transaction])));
      return results;
    }
  }

  async #commitBatch(part: readonly SubmittedTransaction[]): Promise<SubmitResult[]> {
    const prepared = part.map((transaction) => prepareTransaction(transaction, this.#processors, this.#report));
    const keys = keysOf(prepared);
    return this.#untilCommitted(async () => {
      const snapshot = await this.#storage.load(keys);
      const dependencies = { signer: this.#signer, timeUs: this.#clock(), report: this.#report };
      const { results, writes } = executeBatch(prepared, snapshot, dependencies);
      if (writes === undefined) return results;
      return (await this.#storage.commit(snapshot.head, writes)) === 'committed' ? results : undefined;
    });
  }

  #administer<T>(operation: Operation<T>): Promise<T> {
    return this.#exclusively(() =>
      this.#untilCommitted(async () => {
        const snapshot = await this.#storage.load(operation.keys);
        const { value, writes } = await operation.run(snapshot, this.#clock());
        if (writes === undefined) return value;
        return (await this.#storage.commit(snapshot.head, writes)) === 'committed' ? value : undefined;
      }),
    );
  }

  /** Computes and commits again for as long as another writer was faster. */
  async #untilCommitted<T>(attempt: () => Promise<T | undefined>): Promise<T> {
    for (let attempts = 0; attempts < LEDGER_COMMIT_ATTEMPTS_MAX; attempts++) {
      const value = await attempt();
      if (value !== undefined) return value;
    }
    throw new SallyportError(
      'LEDGER_UNAVAILABLE',
      'Other writers were faster at every attempt to commit; nothing was done.',
    );
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#lastWrite.then(work);
    // The next one waits for this one's end, whatever it was; the caller gets its error.
    this.#lastWrite = done.catch(() => undefined);
    return done;
  }
}

/** Cuts a batch into parts within the limits of one commit. */
function* partsOf(batch: readonly SubmittedTransaction[]): Generator<readonly SubmittedTransaction[]> {
  let start = 0;
  let bytes = 0;
  for (const [index, { body }] of batch.entries()) {
    if (
      index > start &&
      (index - start >= LEDGER_BATCH_TRANSACTIONS_MAX || bytes + body.length > LEDGER_BATCH_BYTES_MAX)
    ) {
      yield batch.slice(start, index);
      start = index;
      bytes = 0;
    }
    bytes += body.length;
  }
  if (start < batch.length) yield batch.slice(start);
}

function pageLimit(wanted: number, most: number): number {
  return Math.max(1, Math.min(Math.trunc(wanted), most));
}
