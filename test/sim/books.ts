import type { JournalEntry, TransactionEntry } from '../../src/ledger/entry.ts';
import { TRANSFER_CONTENT_TYPE } from '../../src/ledger/transfer-processor.ts';
import { decodeReceipt } from '../../src/wire/receipt.ts';
import { type Auditor, keyOf } from './auditor.ts';
import { recoverLog } from './write-ahead-log.ts';

interface BookedAccount {
  readonly owner: string;
  cents: bigint;
}

/**
 * Audits what is left on the disk, with rules of its own: it reads the log itself, replays what customers asked for by the plainest
 * double entry there is, and compares. Nothing of src/ledger computes here.
 */
export function auditBooks(auditor: Auditor, file: Uint8Array, fundings: ReadonlySet<string>): void {
  const { commits } = recoverLog(file);
  const accounts = new Map<string, BookedAccount>();
  const effects = new Map<string, TransactionEntry>();
  let sequence = 0n;
  let timeUs = 0n;
  for (const { entry } of commits.flatMap(({ entries }) => entries)) {
    auditor.expect(entry.sequence === sequence + 1n, () => `entry ${entry.sequence} follows entry ${sequence}`);
    auditor.expect(entry.timeUs >= timeUs, () => `entry ${entry.sequence} is older than the one before it`);
    sequence = entry.sequence;
    timeUs = entry.timeUs;
    if (entry.kind === 'transaction') bookTransaction(auditor, accounts, effects, fundings, entry);
    else bookChange(accounts, entry);
  }
  for (const [key, receipt] of auditor.receipts) {
    const entry = effects.get(key);
    auditor.expect(
      entry !== undefined && Buffer.compare(entry.receipt, receipt) === 0,
      () =>
        `a customer holds the receipt of ${key}, and the disk ${entry === undefined ? 'has no such transaction' : 'another receipt'}`,
    );
  }
  const stored = new Map(commits.flatMap((commit) => commit.accounts).map((account) => [account.id, account.balance]));
  let sum = 0n;
  for (const [id, balance] of stored) {
    sum += balance;
    const booked = accounts.get(id)?.cents;
    auditor.expect(booked === balance, () => `${id} is stored with ${balance}; its transfers come to ${booked}`);
  }
  auditor.expect(sum === 0n, () => `the balances add up to ${sum}`);
}

function bookChange(accounts: Map<string, BookedAccount>, entry: Extract<JournalEntry, { document: string }>): void {
  if (entry.kind !== 'account') return;
  const { id, owner } = JSON.parse(entry.document) as { id: string; owner: string };
  if (!accounts.has(id)) accounts.set(id, { owner, cents: 0n });
}

function bookTransaction(
  auditor: Auditor,
  accounts: Map<string, BookedAccount>,
  effects: Map<string, TransactionEntry>,
  fundings: ReadonlySet<string>,
  entry: TransactionEntry,
): void {
  const key = keyOf(entry.customerId, entry.transactionId);
  auditor.expect(!effects.has(key), () => `transaction ${key} took effect twice`);
  effects.set(key, entry);
  const wish = auditor.wishes.get(key);
  const asked = entry.customerId === 'operator' ? fundings.has(key) : wish !== undefined;
  auditor.expect(asked, () => `nobody asked for transaction ${key}`);
  auditor.expect(
    wish === undefined || (wish.contentType === entry.contentType && Buffer.compare(wish.body, entry.body) === 0),
    () => `transaction ${key} is stored with another document`,
  );
  const receipt = decodeReceipt(entry.receipt);
  auditor.expect(receipt?.sequence === entry.sequence, () => `the receipt of ${key} has another sequence`);
  if (entry.contentType !== TRANSFER_CONTENT_TYPE || receipt === undefined) return;
  const expected = book(accounts, entry);
  const { status } = JSON.parse(Buffer.from(receipt.result).toString()) as { status: string };
  auditor.expect(status === expected, () => `${key} was receipted as ${status}, and should be ${expected}`);
}

/** Does a transfer in the auditor's own books; what should be its outcome. */
function book(accounts: Map<string, BookedAccount>, { customerId, body }: TransactionEntry): string {
  const { from, to, amount } = JSON.parse(Buffer.from(body).toString()) as { from: string; to: string; amount: string };
  const cents = BigInt(amount.replace('.', ''));
  const debit = accounts.get(from);
  const credit = accounts.get(to);
  if (debit === undefined || debit.owner !== customerId) return 'debit-account-not-found';
  if (credit === undefined) return 'credit-account-not-found';
  if (debit === credit) return 'same-account';
  if (debit.owner !== 'operator' && debit.cents < cents) return 'insufficient-funds';
  debit.cents -= cents;
  credit.cents += cents;
  return 'committed';
}
