import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { assert } from '../../errors.ts';
import type { Account, AccountStatus } from '../accounts.ts';
import type { ChainHead } from '../entry.ts';
import type { CustomerRecord, CustomerStatus } from '../identity.ts';
import type { HistoryEntry } from '../service.ts';
import type { CommittedTransfer } from '../transfers.ts';

/** The columns of a row in the order of its query, integers read as bigint: naming them costs a fifth of a look-up. */
export type Row = readonly unknown[];

/** A prepared statement whose rows come without names. */
export interface Query {
  get(...parameters: SQLInputValue[]): Row | undefined;
  all(...parameters: SQLInputValue[]): Row[];
  iterate(...parameters: SQLInputValue[]): Iterable<Row>;
}

export function prepareQuery(database: DatabaseSync, text: string): Query {
  // Its declared type does not follow the option.
  return database.prepare(text, { returnArrays: true }) as unknown as Query;
}

export const HEAD = 'SELECT sequence, chain, time_us FROM head';
export const RECEIPT = 'SELECT receipt FROM transactions WHERE customer = ? AND transaction_id = ?';
/** Columns as the functions below read them. */
export const ACCOUNT_COLUMNS = 'id, owner, currency, balance_limit, status, balance, opened_us';
export const CUSTOMER_COLUMNS = 'id, status, pepper_version, fields, credential_digest, created_us';
export const TRANSFER_COLUMNS =
  'debit_account, credit_account, amount, currency, reference, debit_balance, credit_balance';

export function headOf(row: Row | undefined): ChainHead {
  assert(row !== undefined, 'the ledger has a head');
  const [sequence, chain, timeUs] = row as [bigint, Uint8Array, bigint];
  return { sequence, chain, timeUs };
}

export function accountOf(row: Row): Account {
  const [id, owner, currency, limit, status, balance, openedTimeUs] = row as [
    string,
    string,
    string,
    bigint | null,
    AccountStatus,
    bigint,
    bigint,
  ];
  return { id, owner, currency, limit: limit ?? undefined, status, balance, openedTimeUs };
}

export function customerOf(row: Row): CustomerRecord {
  const [id, status, pepperVersion, fieldsText, credentialDigest, createdTimeUs] = row as [
    string,
    CustomerStatus,
    bigint,
    string,
    Uint8Array,
    bigint,
  ];
  const fields = JSON.parse(fieldsText) as { tag: string; digest: string }[];
  return {
    id,
    status,
    pepperVersion: Number(pepperVersion),
    fields: fields.map(({ tag, digest }) => ({ tag, digest: new Uint8Array(Buffer.from(digest, 'hex')) })),
    credentialDigest,
    createdTimeUs,
  };
}

/** The profile digests as they are stored: a JSON list, tags ascending. */
export function fieldsText(customer: CustomerRecord): string {
  return JSON.stringify(
    customer.fields.map(({ tag, digest }) => ({ tag, digest: Buffer.from(digest).toString('hex') })),
  );
}

export function transferOf(row: Row): CommittedTransfer {
  const [debitAccount, creditAccount, amount, currency, reference, debitBalance, creditBalance] = row as [
    string,
    string,
    bigint,
    string,
    string,
    bigint,
    bigint,
  ];
  return { debitAccount, creditAccount, amount, currency, reference, debitBalance, creditBalance };
}

/** Of a row with a transfer's columns, then sequence, position, time and transaction id. */
export function historyEntryOf(row: Row, account: string): HistoryEntry {
  const { debitAccount, creditAccount, amount, currency, reference, debitBalance, creditBalance } = transferOf(row);
  const [sequence, position, timeUs, transactionId] = row.slice(7) as [bigint, bigint, bigint, Uint8Array];
  const debited = debitAccount === account;
  return {
    sequence,
    position: Number(position),
    timeUs,
    transactionId,
    debitAccount,
    creditAccount,
    currency,
    amount: debited ? -amount : amount,
    balance: debited ? debitBalance : creditBalance,
    reference,
  };
}
