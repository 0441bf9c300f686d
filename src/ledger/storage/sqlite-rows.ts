import { assert } from '../../errors.ts';
import type { Account, AccountStatus } from '../accounts.ts';
import type { ChainHead } from '../entry.ts';
import type { CustomerRecord, CustomerStatus } from '../identity.ts';
import type { HistoryEntry } from '../service.ts';
import type { CommittedTransfer } from '../transfers.ts';

/** A row of node:sqlite with integers read as bigint. */
export type Row = Record<string, unknown>;

export function headOf(row: Row | undefined): ChainHead {
  assert(row !== undefined, 'the ledger has a head');
  return { sequence: row.sequence as bigint, chain: row.chain as Uint8Array, timeUs: row.time_us as bigint };
}

export function accountOf(row: Row): Account {
  return {
    id: row.id as string,
    owner: row.owner as string,
    currency: row.currency as string,
    limit: (row.balance_limit as bigint | null) ?? undefined,
    status: row.status as AccountStatus,
    balance: row.balance as bigint,
    openedTimeUs: row.opened_us as bigint,
  };
}

export function customerOf(row: Row): CustomerRecord {
  const fields = JSON.parse(row.fields as string) as { tag: string; digest: string }[];
  return {
    id: row.id as string,
    status: row.status as CustomerStatus,
    pepperVersion: Number(row.pepper_version),
    fields: fields.map(({ tag, digest }) => ({ tag, digest: new Uint8Array(Buffer.from(digest, 'hex')) })),
    credentialDigest: row.credential_digest as Uint8Array,
    createdTimeUs: row.created_us as bigint,
  };
}

/** The profile digests as they are stored: a JSON list, tags ascending. */
export function fieldsText(customer: CustomerRecord): string {
  return JSON.stringify(
    customer.fields.map(({ tag, digest }) => ({ tag, digest: Buffer.from(digest).toString('hex') })),
  );
}

export function transferOf(row: Row): CommittedTransfer {
  return {
    debitAccount: row.debit_account as string,
    creditAccount: row.credit_account as string,
    amount: row.amount as bigint,
    currency: row.currency as string,
    reference: row.reference as string,
    debitBalance: row.debit_balance as bigint,
    creditBalance: row.credit_balance as bigint,
  };
}

export function historyEntryOf(row: Row, account: string): HistoryEntry {
  const transfer = transferOf(row);
  const debited = transfer.debitAccount === account;
  return {
    sequence: row.sequence as bigint,
    position: Number(row.position),
    timeUs: row.time_us as bigint,
    transactionId: row.transaction_id as Uint8Array,
    debitAccount: transfer.debitAccount,
    creditAccount: transfer.creditAccount,
    currency: transfer.currency,
    amount: debited ? -transfer.amount : transfer.amount,
    balance: debited ? transfer.debitBalance : transfer.creditBalance,
    reference: transfer.reference,
  };
}
