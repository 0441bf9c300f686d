import { timingSafeEqual } from 'node:crypto';
import { SallyportError } from '../errors.ts';
import { decodeReceipt } from '../wire/receipt.ts';
import type { Account } from './accounts.ts';
import {
  accountDocument,
  type ChangeEntry,
  chainAfter,
  customerDocument,
  EMPTY_HEAD,
  type JournalEntry,
  type TransactionEntry,
} from './entry.ts';
import { type ReceiptKeys, transactionHash, verifyReceipt } from './receipts.ts';
import type { LedgerReader, LedgerStorage } from './storage/storage.ts';
import { judgeTransfer } from './transfers.ts';

/** What verification can find, each with its meaning; docs/LEDGER.md prints this table. */
export const FINDINGS = {
  'database-damaged': 'the storage’s own check failed, or it could not be read to its end',
  'orphaned-row': 'a row belongs to an entry, transaction or account that is not there',
  'sequence-gap': 'entries of the journal are missing',
  'entry-missing': 'the journal names an entry whose content is not there',
  'chain-broken': 'an entry is not what was committed: its hash differs from the one that the chain holds',
  'time-backwards': 'an entry is older than the one before it',
  'head-mismatch': 'the journal does not end where the ledger’s head says',
  'receipt-malformed': 'a stored receipt is not one',
  'receipt-unknown-key': 'a receipt was signed by a key that verification was not given',
  'receipt-signature': 'a receipt’s signature is not valid for its customer',
  'receipt-mismatch': 'a receipt does not belong to the transaction it is stored with',
  'body-mismatch': 'a stored document is not the one that its receipt was given for',
  'transaction-not-found':
    'the idempotency lookup does not find a transaction’s own receipt, so it could be done again',
  'transfer-invalid': 'a stored transfer breaks a rule of the ledger',
  'balance-mismatch': 'a balance stored with a transfer is not the sum of the transfers before it',
  'account-mismatch':
    'an account is not what its entries in the journal say, or its balance is not the sum of its transfers',
  'customer-mismatch': 'a customer is not what its entries in the journal say',
  'not-zero-sum': 'the balances of a currency do not add up to zero',
} as const;

export interface Finding {
  readonly name: keyof typeof FINDINGS;
  /** Where and what, for a person. */
  readonly detail: string;
}

export interface VerificationReport {
  readonly entries: number;
  readonly transactions: number;
  readonly transfers: number;
  readonly accounts: number;
  readonly customers: number;
  /** Of the head, in hexadecimal: written down elsewhere, it shows later that nothing up to it was rewritten. */
  readonly chain: string;
  /** Empty when the ledger verifies; at most 1,000. */
  readonly findings: readonly Finding[];
}

export interface VerificationOptions {
  readonly keys: ReceiptKeys;
  /** Called after every page with the entries done and the number in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

const PAGE_ENTRIES = 500;
/** One damaged row can spoil all that follow; beyond this the report says no more than it says already. */
const FINDINGS_MAX = 1_000;

/** Recomputes everything from the journal's first entry, and compares it with what is stored. Changes nothing. */
export async function verifyLedger(storage: LedgerStorage, options: VerificationOptions): Promise<VerificationReport> {
  return storage.read(async (reader) => {
    const verification = new Verification(options.keys);
    try {
      await verification.run(reader, options.onProgress ?? (() => undefined));
    } catch (error) {
      if (!(error instanceof Error && isDamage(error))) throw error;
      verification.find('database-damaged', error.message);
    }
    return verification.report();
  });
}

/** LEDGER_CORRUPT, or the SQLite error it is made of (SQLITE_CORRUPT 11, SQLITE_NOTADB 26), which readers meet below the storage. */
function isDamage(error: Error & { errcode?: number }): boolean {
  if (error instanceof SallyportError) return error.code === 'LEDGER_CORRUPT';
  return error.errcode !== undefined && [11, 26].includes(error.errcode & 0xff);
}

class Verification {
  readonly #keys: ReceiptKeys;
  readonly #findings: Finding[] = [];
  readonly #accounts = new Map<string, Account>();
  readonly #customerDocuments = new Map<string, string>();
  #head = EMPTY_HEAD;
  #entries = 0;
  #transactions = 0;
  #transfers = 0;

  constructor(keys: ReceiptKeys) {
    this.#keys = keys;
  }

  find(name: Finding['name'], detail: string): void {
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push({ name, detail });
  }

  report(): VerificationReport {
    return {
      entries: this.#entries,
      transactions: this.#transactions,
      transfers: this.#transfers,
      accounts: this.#accounts.size,
      customers: this.#customerDocuments.size,
      chain: Buffer.from(this.#head.chain).toString('hex'),
      findings: this.#findings,
    };
  }

  async run(reader: LedgerReader, onProgress: (done: number, total: number) => void): Promise<void> {
    for (const { name, detail } of await reader.structure()) this.find(name, detail);
    const head = await reader.head();
    const total = Number(head.sequence);
    for (;;) {
      const page = await reader.entries(this.#head.sequence, PAGE_ENTRIES);
      if (page.length === 0) break;
      for (const { sequence, chain, entry } of page) {
        this.#entries += 1;
        this.#entry(sequence, chain, entry);
      }
      await this.#lookups(
        reader,
        page.flatMap(({ entry }) => (entry?.kind === 'transaction' ? [entry] : [])),
      );
      onProgress(this.#entries, total);
    }
    if (head.sequence !== this.#head.sequence || !timingSafeEqual(head.chain, this.#head.chain))
      this.find('head-mismatch', `the head is at ${head.sequence}, the journal ends at ${this.#head.sequence}`);
    await this.#compareAccounts(reader);
    await this.#compareCustomers(reader);
  }

  #entry(sequence: bigint, chain: Uint8Array, entry: JournalEntry | undefined): void {
    const previous = this.#head;
    // Going on from the stored hash, one change makes one finding.
    this.#head = { sequence, chain, timeUs: entry?.timeUs ?? previous.timeUs };
    if (sequence !== previous.sequence + 1n)
      this.find('sequence-gap', `entry ${sequence} follows entry ${previous.sequence}`);
    if (entry === undefined) {
      this.find('entry-missing', `entry ${sequence} has no content`);
      return;
    }
    if (entry.timeUs < previous.timeUs) this.find('time-backwards', `entry ${sequence}`);
    if (!timingSafeEqual(chainAfter(previous.chain, entry), chain)) this.find('chain-broken', `entry ${sequence}`);
    if (entry.kind === 'transaction') this.#transaction(entry);
    else this.#change(entry);
  }

  #change(entry: ChangeEntry): void {
    const fields = parseDocument(entry.document);
    if (fields === undefined || typeof fields.id !== 'string') {
      this.find(`${entry.kind}-mismatch`, `entry ${entry.sequence} has no readable document`);
      return;
    }
    if (entry.kind === 'customer') {
      this.#customerDocuments.set(fields.id, entry.document);
      return;
    }
    const account: Account = {
      id: fields.id,
      owner: String(fields.owner),
      currency: String(fields.currency),
      limit: fields.limit === null ? undefined : integer(fields.limit),
      status: fields.status === 'closed' ? 'closed' : 'open',
      balance: this.#accounts.get(fields.id)?.balance ?? 0n,
      openedTimeUs: integer(fields.openedTimeUs),
    };
    if (accountDocument(account) !== entry.document)
      this.find('account-mismatch', `entry ${entry.sequence} is not a canonical account document`);
    this.#accounts.set(account.id, account);
  }

  #transaction(entry: TransactionEntry): void {
    this.#transactions += 1;
    this.#receipt(entry);
    for (const [position, transfer] of entry.transfers.entries()) {
      const at = `transfer ${position} of entry ${entry.sequence}`;
      this.#transfers += 1;
      const outcome = judgeTransfer(this.#accounts, { customerId: entry.customerId, disabled: false }, transfer);
      if (outcome !== 'committed') this.find('transfer-invalid', `${at}: ${outcome}`);
      const debit = this.#accounts.get(transfer.debitAccount);
      const credit = this.#accounts.get(transfer.creditAccount);
      if (debit === undefined || credit === undefined) continue;
      const debitBalance = debit.balance - transfer.amount;
      const creditBalance = credit.balance + transfer.amount;
      this.#accounts.set(debit.id, { ...debit, balance: debitBalance });
      this.#accounts.set(credit.id, { ...credit, balance: creditBalance });
      if (debitBalance !== transfer.debitBalance)
        this.find(
          'balance-mismatch',
          `${at}: ${debit.id} is stored with ${transfer.debitBalance}, computed ${debitBalance}`,
        );
      if (creditBalance !== transfer.creditBalance)
        this.find(
          'balance-mismatch',
          `${at}: ${credit.id} is stored with ${transfer.creditBalance}, computed ${creditBalance}`,
        );
    }
  }

  #receipt(entry: TransactionEntry): void {
    const at = `entry ${entry.sequence}`;
    const verdict = verifyReceipt(entry.receipt, entry.customerId, this.#keys);
    if (verdict === 'malformed') this.find('receipt-malformed', at);
    else if (verdict === 'unknown-key') this.find('receipt-unknown-key', at);
    else if (verdict === 'bad-signature') this.find('receipt-signature', at);
    const receipt = decodeReceipt(entry.receipt);
    if (receipt === undefined) return;
    if (
      receipt.sequence !== entry.sequence ||
      receipt.committedTimeUs !== entry.timeUs ||
      Buffer.compare(receipt.transactionId, entry.transactionId) !== 0 ||
      (receipt.outcome === 'refused') !== (entry.transfers.length === 0 && receipt.outcome !== 'processed')
    )
      this.find('receipt-mismatch', at);
    if (Buffer.compare(receipt.bodyHash, transactionHash(entry.contentType, entry.body)) !== 0)
      this.find('body-mismatch', at);
  }

  async #lookups(reader: LedgerReader, entries: readonly TransactionEntry[]): Promise<void> {
    const found = await reader.receipts(entries);
    for (const [index, entry] of entries.entries()) {
      const receipt = found[index];
      if (receipt === undefined || Buffer.compare(receipt, entry.receipt) !== 0)
        this.find('transaction-not-found', `entry ${entry.sequence}`);
    }
  }

  async #compareAccounts(reader: LedgerReader): Promise<void> {
    const seen = new Set<string>();
    const sums = new Map<string, bigint>();
    for await (const account of pages((after) => reader.accounts({ ...after, limit: PAGE_ENTRIES }))) {
      seen.add(account.id);
      sums.set(account.currency, (sums.get(account.currency) ?? 0n) + account.balance);
      const computed = this.#accounts.get(account.id);
      if (computed === undefined) this.find('account-mismatch', `${account.id} was never opened`);
      else if (accountDocument(computed) !== accountDocument(account))
        this.find('account-mismatch', `${account.id} differs from its last entry in the journal`);
      else if (computed.balance !== account.balance)
        this.find('account-mismatch', `${account.id} is stored with ${account.balance}, computed ${computed.balance}`);
    }
    for (const id of this.#accounts.keys()) if (!seen.has(id)) this.find('account-mismatch', `${id} is missing`);
    for (const [currency, sum] of sums) if (sum !== 0n) this.find('not-zero-sum', `${currency}: ${sum} minor units`);
  }

  async #compareCustomers(reader: LedgerReader): Promise<void> {
    const seen = new Set<string>();
    for await (const customer of pages((after) => reader.customers({ ...after, limit: PAGE_ENTRIES }))) {
      seen.add(customer.id);
      if (this.#customerDocuments.get(customer.id) !== customerDocument(customer))
        this.find('customer-mismatch', `${customer.id} differs from its last entry in the journal`);
    }
    for (const id of this.#customerDocuments.keys())
      if (!seen.has(id)) this.find('customer-mismatch', `${id} is missing`);
  }
}

async function* pages<T extends { readonly id: string }>(
  read: (after: { after?: string }) => Promise<T[]>,
): AsyncGenerator<T> {
  for (let after: { after?: string } = {}; ; ) {
    const page = await read(after);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = { after: last.id };
  }
}

/** The integer of a decimal text; 0 for anything else, which the comparison of documents then shows. */
function integer(value: unknown): bigint {
  return typeof value === 'string' && /^-?[0-9]{1,20}$/.test(value) ? BigInt(value) : 0n;
}

function parseDocument(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
