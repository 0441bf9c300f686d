/** The built-in documents (docs/PROTOCOL.md, "Documents") as the customer writes and reads them. */

import { ACCOUNT_ID_BYTES_MAX, TRANSFER_REFERENCE_BYTES_MAX } from '../limits.ts';

export const TRANSFER_TYPE = 'application/vnd.sallyport.transfer+json';
export const TRANSFER_RESULT_TYPE = 'application/vnd.sallyport.transfer-result+json';
export const BALANCES_TYPE = 'application/vnd.sallyport.balances+json';
export const HISTORY_TYPE = 'application/vnd.sallyport.history+json';

/** Money from one account to another. */
export interface Transfer {
  readonly from: string;
  readonly to: string;
  /** A decimal string of the major unit, such as "12.50". */
  readonly amount: string;
  /** ISO 4217 alphabetic code. */
  readonly currency: string;
  /** Free text for both sides, at most 140 bytes of UTF-8. */
  readonly reference?: string;
}

export type TransferField = keyof Transfer;

/** What is wrong with one field of a transfer, as the end of a sentence that begins with the field's name. */
export interface TransferFault {
  readonly field: TransferField;
  readonly fault: string;
}

const ACCOUNT_ID = /^[a-z0-9][a-z0-9._-]*$/;
const AMOUNT = /^(0|[1-9][0-9]*)(\.[0-9]+)?$/;
/** Integer digits of the largest 64-bit count of minor units, in a currency without decimals. */
const AMOUNT_DIGITS_MAX = 19;

/** Every fault of a transfer that can be known without the server; empty when there is none. */
export function faultsOfTransfer(transfer: Transfer): TransferFault[] {
  const faults: TransferFault[] = [];
  const add = (field: TransferField, fault: string | undefined): void => {
    if (fault !== undefined) faults.push({ field, fault });
  };
  add('from', faultOfAccount(transfer.from));
  add('to', faultOfAccount(transfer.to));
  if (transfer.from === transfer.to && transfer.to !== '') add('to', 'is the same account as from');
  add('amount', faultOfAmount(transfer.amount));
  add('currency', faultOfCurrency(transfer.currency));
  add('reference', faultOfReference(transfer.reference ?? ''));
  return faults;
}

function faultOfAccount(id: string): string | undefined {
  if (id === '') return 'is missing';
  if (Buffer.byteLength(id) > ACCOUNT_ID_BYTES_MAX) return `is longer than ${ACCOUNT_ID_BYTES_MAX} characters`;
  if (!ACCOUNT_ID.test(id))
    return `${quoted(id)} is not an account (lower-case letters, digits, dot, hyphen and underscore)`;
  return undefined;
}

function faultOfAmount(amount: string): string | undefined {
  if (amount === '') return 'is missing';
  if (amount.startsWith('-')) return `${quoted(amount)} is negative: swap from and to instead`;
  if (!AMOUNT.test(amount)) return `${quoted(amount)} is not a decimal number such as 12.50`;
  if (amount.replace('.', '').length > AMOUNT_DIGITS_MAX)
    return `${quoted(amount)} has more digits than an account holds`;
  if (/^[0.]+$/.test(amount)) return 'must be greater than zero';
  return undefined;
}

function faultOfCurrency(currency: string): string | undefined {
  if (currency === '') return 'is missing';
  if (!/^[A-Z]{3}$/.test(currency)) return `${quoted(currency)} is not a currency code such as EUR`;
  return undefined;
}

function faultOfReference(reference: string): string | undefined {
  const length = Buffer.byteLength(reference);
  if (length > TRANSFER_REFERENCE_BYTES_MAX) return `has ${length} bytes and may have ${TRANSFER_REFERENCE_BYTES_MAX}`;
  if (/\p{Cc}/u.test(reference)) return 'holds a control character';
  if (!reference.isWellFormed()) return 'is not well-formed text';
  return undefined;
}

/** The text of others inside a sentence: quoted, and cut where a sentence would drown in it. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

/** The TRANSACTION body of a transfer: members in the order of the specification, so that the same transfer is the same bytes. */
export function encodeTransfer(transfer: Transfer): Uint8Array {
  const { from, to, amount, currency, reference } = transfer;
  return new TextEncoder().encode(
    JSON.stringify({
      from,
      to,
      amount,
      currency,
      ...(reference === undefined || reference === '' ? {} : { reference }),
    }),
  );
}
