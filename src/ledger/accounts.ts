import { ACCOUNT_ID_BYTES_MAX, CUSTOMER_ID_BYTES_MAX } from '../limits.ts';

/** The reserved owner of the equity accounts, and the customer id under which the operator's own transactions are recorded. */
export const OPERATOR = 'operator';
const OPERATOR_ACCOUNT_PREFIX = `${OPERATOR}.`;

export type AccountStatus = 'open' | 'closed';

/** One account. Balance = credits - debits, in minor units of its currency; it never ends a transfer below `limit`. */
export interface Account {
  readonly id: string;
  readonly owner: string;
  readonly currency: string;
  /** The lowest balance a debit may leave, in minor units; undefined for the operator's equity accounts: no lower end but 64 bits. */
  readonly limit: bigint | undefined;
  readonly status: AccountStatus;
  readonly balance: bigint;
  readonly openedTimeUs: bigint;
}

const ID_PATTERN = /^[a-z0-9][a-z0-9._-]*$/;

export function isAccountId(text: string): boolean {
  return text.length <= ACCOUNT_ID_BYTES_MAX && ID_PATTERN.test(text);
}

/** Also true for the reserved id of the operator; enrolment refuses that one. */
export function isCustomerId(text: string): boolean {
  return text.length <= CUSTOMER_ID_BYTES_MAX && ID_PATTERN.test(text);
}

/** The operator's equity account of a currency: every unit that customers hold is one that this account owes. */
export function equityAccountId(currency: string): string {
  return OPERATOR_ACCOUNT_PREFIX + currency.toLowerCase();
}

/** Ids that only the operator's own accounts may have. */
export function isOperatorAccountId(id: string): boolean {
  return id.startsWith(OPERATOR_ACCOUNT_PREFIX) || id === OPERATOR;
}
