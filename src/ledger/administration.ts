import { SallyportError } from '../errors.ts';
import { ACCOUNTS_PER_CUSTOMER_MAX, PROFILE_FIELDS_MAX } from '../limits.ts';
import {
  type Account,
  type AccountStatus,
  equityAccountId,
  isAccountId,
  isCustomerId,
  isOperatorAccountId,
  OPERATOR,
} from './accounts.ts';
import { INT64_MAX, INT64_MIN, quote } from './amounts.ts';
import { currencyExponent } from './currencies.ts';
import { accountDocument, type ChangeEntry, customerDocument, linkEntries } from './entry.ts';
import type { CustomerRecord, CustomerStatus } from './identity.ts';
import type { AccountOpening } from './service.ts';
import type { Snapshot, SnapshotKeys, WriteSet } from './storage/storage.ts';

/** A change by the operator: what it reads, and what it makes of it. It may run more than once when writers compete. */
export interface Operation<T> {
  readonly keys: SnapshotKeys;
  run(snapshot: Snapshot, nowUs: bigint): Promise<{ readonly value: T; readonly writes: WriteSet | undefined }>;
}

/** Adds a customer. ALREADY_EXISTS; BAD_ARGUMENT. */
export function enrollCustomer(record: Omit<CustomerRecord, 'createdTimeUs' | 'status'>): Operation<CustomerRecord> {
  const { id, pepperVersion, fields, credentialDigest } = record;
  if (!isCustomerId(id) || id === OPERATOR)
    throw new SallyportError(
      'BAD_ARGUMENT',
      `${quote(id)} cannot be a customer id: 1 to 64 of a-z 0-9 . _ -, not "operator".`,
    );
  if (fields.length > PROFILE_FIELDS_MAX)
    throw new SallyportError('BAD_ARGUMENT', `A profile has at most ${PROFILE_FIELDS_MAX} fields.`);
  return {
    keys: { customers: [id] },
    run: async (snapshot, nowUs) => {
      if (snapshot.customers.has(id))
        throw new SallyportError('ALREADY_EXISTS', `The customer ${quote(id)} is enrolled already.`);
      const timeUs = timeAfter(snapshot, nowUs);
      const customer: CustomerRecord = {
        id,
        status: 'active',
        pepperVersion,
        fields,
        credentialDigest,
        createdTimeUs: timeUs,
      };
      return { value: customer, writes: writesOf(snapshot, timeUs, [], [customer]) };
    },
  };
}

/** Takes the place of what a customer showed at enrolment: another credential, profile or pepper. Accounts, history and status stay. NOT_FOUND. */
export function reenrollCustomer({
  id,
  ...digests
}: Omit<CustomerRecord, 'createdTimeUs' | 'status'>): Operation<CustomerRecord> {
  return {
    keys: { customers: [id] },
    run: async (snapshot, nowUs) => {
      const known = snapshot.customers.get(id);
      if (known === undefined) throw new SallyportError('NOT_FOUND', `There is no customer ${quote(id)}.`);
      const customer: CustomerRecord = { ...known, ...digests };
      return { value: customer, writes: writesOf(snapshot, timeAfter(snapshot, nowUs), [], [customer]) };
    },
  };
}

/** Disables a customer, or makes one active again. NOT_FOUND. */
export function changeCustomerStatus(id: string, status: CustomerStatus): Operation<CustomerRecord> {
  return {
    keys: { customers: [id] },
    run: async (snapshot, nowUs) => {
      const known = snapshot.customers.get(id);
      if (known === undefined) throw new SallyportError('NOT_FOUND', `There is no customer ${quote(id)}.`);
      if (known.status === status) return { value: known, writes: undefined };
      const customer: CustomerRecord = { ...known, status };
      return { value: customer, writes: writesOf(snapshot, timeAfter(snapshot, nowUs), [], [customer]) };
    },
  };
}

/** Opens an account, and the operator's equity account of its currency when there is none. `owned` counts what the owner has. */
export function openAccount(opening: AccountOpening, owned: () => Promise<number>): Operation<Account> {
  const { id, owner, currency, limit = 0n } = opening;
  if (!isAccountId(id) || isOperatorAccountId(id))
    throw new SallyportError(
      'BAD_ARGUMENT',
      `${quote(id)} cannot be an account id: 1 to 64 of a-z 0-9 . _ -, not beginning with "operator.".`,
    );
  if (currencyExponent(currency) === undefined)
    throw new SallyportError('BAD_ARGUMENT', `${quote(currency)} is not an active ISO 4217 currency code.`);
  // The balance begins at zero, which must not be below the limit.
  if (limit > 0n || limit < INT64_MIN || limit > INT64_MAX)
    throw new SallyportError('BAD_ARGUMENT', 'An account’s limit is zero, or negative for an overdraft.');
  const equityId = equityAccountId(currency);
  return {
    keys: { accounts: [id, equityId], customers: [owner] },
    run: async (snapshot, nowUs) => {
      if (owner !== OPERATOR && !snapshot.customers.has(owner))
        throw new SallyportError('NOT_FOUND', `There is no customer ${quote(owner)} to own the account.`);
      if (snapshot.accounts.has(id))
        throw new SallyportError('ALREADY_EXISTS', `The account ${quote(id)} is open already.`);
      // Counted after the snapshot was read: the commit holds only when nothing was written in between.
      if (owner !== OPERATOR && (await owned()) >= ACCOUNTS_PER_CUSTOMER_MAX)
        throw new SallyportError(
          'BAD_ARGUMENT',
          `The customer ${quote(owner)} has ${ACCOUNTS_PER_CUSTOMER_MAX} accounts, which is the most.`,
        );
      const openedTimeUs = timeAfter(snapshot, nowUs);
      const account: Account = { id, owner, currency, limit, status: 'open', balance: 0n, openedTimeUs };
      const equity: Account = { ...account, id: equityId, owner: OPERATOR, limit: undefined };
      const added = snapshot.accounts.has(equityId) ? [account] : [equity, account];
      return { value: account, writes: writesOf(snapshot, openedTimeUs, added, []) };
    },
  };
}

/** Closes an account to transfers in both directions, or opens it again. What it holds stays where it is. NOT_FOUND, BAD_ARGUMENT. */
export function changeAccountStatus(id: string, status: AccountStatus): Operation<Account> {
  if (isOperatorAccountId(id))
    throw new SallyportError('BAD_ARGUMENT', 'The operator’s equity accounts are always open.');
  return {
    keys: { accounts: [id] },
    run: async (snapshot, nowUs) => {
      const known = snapshot.accounts.get(id);
      if (known === undefined) throw new SallyportError('NOT_FOUND', `There is no account ${quote(id)}.`);
      if (known.status === status) return { value: known, writes: undefined };
      const account: Account = { ...known, status };
      return { value: account, writes: writesOf(snapshot, timeAfter(snapshot, nowUs), [account], []) };
    },
  };
}

function timeAfter(snapshot: Snapshot, nowUs: bigint): bigint {
  return nowUs > snapshot.head.timeUs ? nowUs : snapshot.head.timeUs;
}

function writesOf(
  snapshot: Snapshot,
  timeUs: bigint,
  accounts: readonly Account[],
  customers: readonly CustomerRecord[],
): WriteSet {
  const documents = [
    ...accounts.map((account) => ({ kind: 'account' as const, document: accountDocument(account) })),
    ...customers.map((customer) => ({ kind: 'customer' as const, document: customerDocument(customer) })),
  ];
  const entries = documents.map(
    (document, index): ChangeEntry => ({ ...document, timeUs, sequence: snapshot.head.sequence + BigInt(index) + 1n }),
  );
  const { head, chains } = linkEntries(snapshot.head, entries);
  return { entries: entries.map((entry, index) => ({ entry, chain: chains[index]! })), accounts, customers, head };
}
