import { createHash, timingSafeEqual } from 'node:crypto';
import { assert } from '../errors.ts';
import type { Account } from './accounts.ts';
import type { CustomerRecord } from './identity.ts';
import type { CommittedTransfer } from './transfers.ts';

/** The journal's last entry: where the next one links to. Sequence 0 and 32 zero bytes before the first. */
export interface ChainHead {
  readonly sequence: bigint;
  /** 32 bytes. */
  readonly chain: Uint8Array;
  readonly timeUs: bigint;
}

export const EMPTY_HEAD: ChainHead = { sequence: 0n, chain: new Uint8Array(32), timeUs: 0n };

interface EntryBase {
  /** From 1, without gaps, over entries of every kind. */
  readonly sequence: bigint;
  /** Microseconds since 1970-01-01 UTC; never less than that of the entry before. */
  readonly timeUs: bigint;
}

export interface TransactionEntry extends EntryBase {
  readonly kind: 'transaction';
  readonly customerId: string;
  readonly transactionId: Uint8Array;
  readonly contentType: string;
  readonly body: Uint8Array;
  /** The signed receipt; binds content type and body by their hash. */
  readonly receipt: Uint8Array;
  readonly transfers: readonly CommittedTransfer[];
}

/** An account or customer as it was from this entry on: the canonical document of the record. */
export interface ChangeEntry extends EntryBase {
  readonly kind: 'account' | 'customer';
  readonly document: string;
}

export type JournalEntry = TransactionEntry | ChangeEntry;

const ENTRY_LABEL = 'sallyport/1 ledger entry\0';
const KIND_BYTE = { transaction: 1, account: 2, customer: 3 } as const;

/**
 * chain_n = SHA-256("sallyport/1 ledger entry" || chain_{n-1} || sequence u64 || kind u8 || time_us u64 || content), where content is
 *
 * - transaction: len8(customer id) || len16(receipt) || count u16 || for each transfer: len8(debit account) || len8(credit account) ||
 *   amount i64 || len8(currency) || len8(reference) || debit balance i64 || credit balance i64
 * - account, customer: len32(document)
 *
 * Integers are big-endian; receipt covers content type and body by body_hash.
 */
export function chainAfter(previous: Uint8Array, entry: JournalEntry): Uint8Array {
  const hash = createHash('sha256').update(ENTRY_LABEL, 'latin1').update(previous);
  const bytes = entry.kind === 'transaction' ? transactionContent(entry) : changeContent(entry);
  bytes.writeBigUInt64BE(entry.sequence, 0);
  bytes[8] = KIND_BYTE[entry.kind];
  bytes.writeBigUInt64BE(entry.timeUs, 9);
  return new Uint8Array(hash.update(bytes).digest());
}

const PREFIX_BYTES = 17;

function changeContent(entry: ChangeEntry): Buffer {
  const length = Buffer.byteLength(entry.document);
  const bytes = Buffer.alloc(PREFIX_BYTES + 4 + length);
  bytes.writeUInt32BE(length, PREFIX_BYTES);
  bytes.write(entry.document, PREFIX_BYTES + 4, 'utf8');
  return bytes;
}

function transactionContent(entry: TransactionEntry): Buffer {
  let size = PREFIX_BYTES + 1 + Buffer.byteLength(entry.customerId) + 2 + entry.receipt.length + 2;
  for (const transfer of entry.transfers)
    size +=
      4 +
      24 +
      Buffer.byteLength(transfer.debitAccount) +
      Buffer.byteLength(transfer.creditAccount) +
      Buffer.byteLength(transfer.currency) +
      Buffer.byteLength(transfer.reference);
  const bytes = Buffer.alloc(size);
  let at = PREFIX_BYTES;
  const text = (value: string): void => {
    const written = bytes.write(value, at + 1, 'utf8');
    assert(written <= 0xff, 'texts of an entry fit one length byte');
    bytes[at] = written;
    at += 1 + written;
  };
  text(entry.customerId);
  at = bytes.writeUInt16BE(entry.receipt.length, at);
  bytes.set(entry.receipt, at);
  at = bytes.writeUInt16BE(entry.transfers.length, at + entry.receipt.length);
  for (const transfer of entry.transfers) {
    text(transfer.debitAccount);
    text(transfer.creditAccount);
    at = bytes.writeBigInt64BE(transfer.amount, at);
    text(transfer.currency);
    text(transfer.reference);
    at = bytes.writeBigInt64BE(transfer.debitBalance, at);
    at = bytes.writeBigInt64BE(transfer.creditBalance, at);
  }
  assert(at === size, 'the canonical bytes of an entry have the size computed for them');
  return bytes;
}

/** Links entries behind a head; gives the head after them and the chain hash of each. */
export function linkEntries(
  head: ChainHead,
  entries: readonly JournalEntry[],
): { head: ChainHead; chains: Uint8Array[] } {
  const chains: Uint8Array[] = [];
  let last = head;
  for (const entry of entries) {
    assert(entry.sequence === last.sequence + 1n, 'sequences have no gaps');
    assert(entry.timeUs >= last.timeUs, 'time does not run backwards in the journal');
    last = { sequence: entry.sequence, chain: chainAfter(last.chain, entry), timeUs: entry.timeUs };
    chains.push(last.chain);
  }
  return { head: last, chains };
}

export function sameHead(a: ChainHead, b: ChainHead): boolean {
  return a.sequence === b.sequence && timingSafeEqual(a.chain, b.chain);
}

/** The canonical document of an account, without its balance (which follows from the transfers). */
export function accountDocument(account: Account): string {
  return JSON.stringify({
    id: account.id,
    owner: account.owner,
    currency: account.currency,
    limit: account.limit === undefined ? null : account.limit.toString(),
    status: account.status,
    openedTimeUs: account.openedTimeUs.toString(),
  });
}

/** The canonical document of a customer. */
export function customerDocument(customer: CustomerRecord): string {
  return JSON.stringify({
    id: customer.id,
    status: customer.status,
    pepperVersion: customer.pepperVersion,
    fields: customer.fields.map((field) => ({ tag: field.tag, digest: Buffer.from(field.digest).toString('hex') })),
    credentialDigest: Buffer.from(customer.credentialDigest).toString('hex'),
    createdTimeUs: customer.createdTimeUs.toString(),
  });
}
