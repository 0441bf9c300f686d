import { assert } from '../errors.ts';
import { TRANSFER_REFERENCE_BYTES_MAX } from '../limits.ts';
import type { Account } from './accounts.ts';
import { INT64_MAX, INT64_MIN } from './amounts.ts';

/** What a processor asks for: take `amount` minor units of `currency` from one account and give them to another. */
export interface TransferRequest {
  readonly debitAccount: string;
  readonly creditAccount: string;
  readonly amount: bigint;
  readonly currency: string;
  /** Free text of the customer, at most 140 bytes of UTF-8. */
  readonly reference: string;
}

/**
 * What became of a transfer: the first row whose condition holds, in this order. docs/LEDGER.md prints this table; a test compares them.
 */
export const TRANSFER_OUTCOMES = [
  ['customer-disabled', 'the customer was disabled by the operator after the session began'],
  ['debit-account-not-found', 'there is no such account, or it is not the customer’s own: the two are not told apart'],
  ['credit-account-not-found', 'there is no such account'],
  ['same-account', 'debit and credit name the same account'],
  ['debit-account-closed', 'the account to debit was closed'],
  ['credit-account-closed', 'the account to credit was closed'],
  ['currency-mismatch', 'the transfer, the debited and the credited account do not all have one currency'],
  ['amount-zero', 'the amount is zero'],
  ['amount-out-of-range', 'the amount is negative or above 2^63 - 1 minor units'],
  ['insufficient-funds', 'the debit would leave the account below its limit'],
  ['balance-overflow', 'a balance would leave the signed 64-bit range'],
  [
    'linked-transfer-refused',
    'another transfer of the same atomic transaction was refused, so this one was not done either',
  ],
  ['committed', 'none of the above: the transfer took effect'],
] as const;

export type TransferOutcome = (typeof TRANSFER_OUTCOMES)[number][0];

/** A transfer that took effect, with the balances it left. */
export interface CommittedTransfer extends TransferRequest {
  readonly debitBalance: bigint;
  readonly creditBalance: bigint;
}

/** Who asks: only this customer's own accounts are debited. */
export interface Requester {
  readonly customerId: string;
  readonly disabled: boolean;
}

/** The accounts of one batch as they stand after the transfers applied so far. */
export type WorkingAccounts = Map<string, Account>;

/** Judges one transfer against the accounts without changing them. The order of the checks is the order of TRANSFER_OUTCOMES. */
export function judgeTransfer(
  accounts: ReadonlyMap<string, Account>,
  requester: Requester,
  request: TransferRequest,
): TransferOutcome {
  if (requester.disabled) return 'customer-disabled';
  const debit = accounts.get(request.debitAccount);
  if (debit === undefined || debit.owner !== requester.customerId) return 'debit-account-not-found';
  const credit = accounts.get(request.creditAccount);
  if (credit === undefined) return 'credit-account-not-found';
  if (debit.id === credit.id) return 'same-account';
  if (debit.status === 'closed') return 'debit-account-closed';
  if (credit.status === 'closed') return 'credit-account-closed';
  if (request.currency !== debit.currency || request.currency !== credit.currency) return 'currency-mismatch';
  if (request.amount === 0n) return 'amount-zero';
  if (request.amount < 0n || request.amount > INT64_MAX) return 'amount-out-of-range';
  if (debit.limit !== undefined && debit.balance - request.amount < debit.limit) return 'insufficient-funds';
  if (debit.balance - request.amount < INT64_MIN || credit.balance + request.amount > INT64_MAX)
    return 'balance-overflow';
  return 'committed';
}

export interface AppliedTransfers {
  /** One for each request, in order. */
  readonly outcomes: readonly TransferOutcome[];
  /** Those that took effect, in order. */
  readonly committed: readonly CommittedTransfer[];
  /** The accounts it changed, as they were before: putting them back undoes all of it. */
  readonly before: ReadonlyMap<string, Account>;
}

/**
 * Applies the transfers in order to `accounts`; each sees those before it. With `atomic`, one refusal undoes all: the refused one keeps
 * its outcome, the others get 'linked-transfer-refused', and `accounts` is as it was.
 */
export function applyTransfers(
  accounts: WorkingAccounts,
  requester: Requester,
  requests: readonly TransferRequest[],
  atomic: boolean,
): AppliedTransfers {
  const outcomes: TransferOutcome[] = [];
  const committed: CommittedTransfer[] = [];
  const before = new Map<string, Account>();
  for (const request of requests) {
    const outcome = judgeTransfer(accounts, requester, request);
    outcomes.push(outcome);
    if (outcome !== 'committed') {
      if (!atomic) continue;
      for (const [id, account] of before) accounts.set(id, account);
      const refusedAt = outcomes.length - 1;
      return {
        outcomes: requests.map((_, index) => (index === refusedAt ? outcome : 'linked-transfer-refused')),
        committed: [],
        before: new Map(),
      };
    }
    const debit = accounts.get(request.debitAccount)!;
    const credit = accounts.get(request.creditAccount)!;
    if (!before.has(debit.id)) before.set(debit.id, debit);
    if (!before.has(credit.id)) before.set(credit.id, credit);
    const debitBalance = debit.balance - request.amount;
    const creditBalance = credit.balance + request.amount;
    assert(debit.limit === undefined || debitBalance >= debit.limit, 'no debit leaves an account below its limit');
    assert(debit.owner === requester.customerId, 'only own accounts are debited');
    accounts.set(debit.id, { ...debit, balance: debitBalance });
    accounts.set(credit.id, { ...credit, balance: creditBalance });
    committed.push({ ...request, debitBalance, creditBalance });
  }
  return { outcomes, committed, before };
}

/** Whether a text may travel as a transfer's reference: at most 140 bytes of UTF-8, no control characters, no unpaired surrogate. */
export function isReference(text: string): boolean {
  return (
    text.isWellFormed() &&
    Buffer.byteLength(text) <= TRANSFER_REFERENCE_BYTES_MAX &&
    ![...text].some(isControlCharacter)
  );
}

function isControlCharacter(character: string): boolean {
  const code = character.codePointAt(0)!;
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}
