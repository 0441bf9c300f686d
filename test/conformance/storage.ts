import { describe, expect, it } from 'vitest';
import type { Account } from '../../src/ledger/accounts.ts';
import { INT64_MAX, INT64_MIN } from '../../src/ledger/amounts.ts';
import {
  accountDocument,
  type ChainHead,
  customerDocument,
  EMPTY_HEAD,
  type JournalEntry,
  linkEntries,
} from '../../src/ledger/entry.ts';
import type { CustomerRecord } from '../../src/ledger/identity.ts';
import type { LedgerStorage, WriteSet } from '../../src/ledger/storage/storage.ts';
import type { CommittedTransfer } from '../../src/ledger/transfers.ts';

/** What every storage must do. `create` gives a new, empty one; the suite opens and closes it. */
export function storageConformance(name: string, create: () => LedgerStorage): void {
  const opened = async (): Promise<LedgerStorage> => {
    const storage = create();
    await storage.open();
    return storage;
  };

  describe(`${name}: storage conformance`, () => {
    it('begins empty', async () => {
      const storage = await opened();
      const snapshot = await storage.load({ accounts: ['a'], customers: ['c'], transactions: [key('c', 1)] });
      expect(snapshot.head).toEqual(EMPTY_HEAD);
      expect([snapshot.accounts.size, snapshot.customers.size, snapshot.receipts]).toEqual([0, 0, [undefined]]);
      expect(await storage.read((reader) => reader.entries(0n, 10))).toEqual([]);
      await storage.close();
    });

    it('gives back every value as it was, to the ends of its range', async () => {
      const storage = await opened();
      const { head } = await seeded(storage);
      const snapshot = await storage.load({ accounts: ['a', 'nobody', 'b'], customers: ['c', 'd'] });
      expect(snapshot.head).toEqual(head);
      expect(snapshot.accounts).toEqual(
        new Map([
          ['a', ACCOUNT_A],
          ['b', ACCOUNT_B],
        ]),
      );
      expect(snapshot.customers).toEqual(new Map([['c', CUSTOMER]]));
      await storage.close();
    });

    it('commits once for a head, and tells the other writer', async () => {
      const storage = await opened();
      const writes = writesAfter(EMPTY_HEAD, [transaction(1n, 'c', 1)], [ACCOUNT_A, ACCOUNT_B]);
      expect(await storage.commit(EMPTY_HEAD, writes)).toBe('committed');
      const late = writesAfter(EMPTY_HEAD, [transaction(1n, 'c', 2)], [{ ...ACCOUNT_A, balance: 5n }]);
      expect(await storage.commit(EMPTY_HEAD, late)).toBe('head-moved');
      const { head, accounts, receipts } = await storage.load({
        accounts: ['a'],
        transactions: [key('c', 1), key('c', 2)],
      });
      expect(head).toEqual(writes.head);
      expect(accounts.get('a')).toEqual(ACCOUNT_A);
      expect(receipts).toEqual([receiptBytes(1), undefined]);
      await storage.close();
    });

    it('takes a head of the same sequence and another hash for another head', async () => {
      const storage = await opened();
      const other = { ...EMPTY_HEAD, chain: new Uint8Array(32).fill(1) };
      expect(await storage.commit(other, writesAfter(other, [transaction(1n, 'c', 1)], [ACCOUNT_A, ACCOUNT_B]))).toBe(
        'head-moved',
      );
      await storage.close();
    });

    it('commits all of a write set or nothing', async () => {
      const storage = await opened();
      const { head } = await seeded(storage);
      const twice = writesAfter(
        head,
        [transaction(head.sequence + 1n, 'c', 9), transaction(head.sequence + 2n, 'c', 1)],
        [{ ...ACCOUNT_A, balance: 1n }],
      );
      // The second one's id is stored already: a bug of the caller that a storage must not half obey.
      await expect(storage.commit(head, twice)).rejects.toThrow();
      const snapshot = await storage.load({ accounts: ['a'], transactions: [key('c', 9)] });
      expect(snapshot.head).toEqual(head);
      expect(snapshot.accounts.get('a')).toEqual(ACCOUNT_A);
      expect(snapshot.receipts).toEqual([undefined]);
      await storage.close();
    });

    it('finds receipts by customer and id together', async () => {
      const storage = await opened();
      await seeded(storage);
      const { receipts } = await storage.load({ transactions: [key('c', 1), key('d', 1), key('c', 2), key('c', 1)] });
      expect(receipts).toEqual([receiptBytes(1), undefined, receiptBytes(2), receiptBytes(1)]);
      expect(await storage.read((reader) => reader.receipts([key('c', 2), key('x', 2)]))).toEqual([
        receiptBytes(2),
        undefined,
      ]);
      await storage.close();
    });

    it('reads the journal in pages, whole entries with their transfers', async () => {
      const storage = await opened();
      const { entries, chains } = await seeded(storage);
      const all = await storage.read((reader) => reader.entries(0n, 100));
      expect(all).toEqual(entries.map((entry, index) => ({ sequence: entry.sequence, entry, chain: chains[index] })));
      expect((await storage.read((reader) => reader.entries(1n, 2))).map(({ sequence }) => sequence)).toEqual([2n, 3n]);
      expect(await storage.read((reader) => reader.entries(BigInt(entries.length), 2))).toEqual([]);
      await storage.close();
    });

    it('lists accounts and customers in pages, by id', async () => {
      const storage = await opened();
      const accounts = ['a', 'a-1', 'a.b', 'a_b', 'b', 'ab'].map((id, index) => ({
        ...ACCOUNT_A,
        id,
        owner: index % 2 === 0 ? 'c' : 'd',
      }));
      const customers = ['c', 'd', 'e'].map((id) => ({ ...CUSTOMER, id }));
      await storage.commit(EMPTY_HEAD, writesAfter(EMPTY_HEAD, [], accounts, customers));
      const ids = async (page: { owner?: string; after?: string; limit: number }): Promise<string[]> =>
        (await storage.read((reader) => reader.accounts(page))).map(({ id }) => id);
      // By code units: '-' . '.' 0-9 '_' a-z.
      expect(await ids({ limit: 10 })).toEqual(['a', 'a-1', 'a.b', 'a_b', 'ab', 'b']);
      expect(await ids({ limit: 2, after: 'a-1' })).toEqual(['a.b', 'a_b']);
      expect(await ids({ limit: 10, owner: 'd' })).toEqual(['a-1', 'a_b', 'ab']);
      expect(await ids({ limit: 10, owner: 'd', after: 'a_b' })).toEqual(['ab']);
      expect((await storage.read((reader) => reader.customers({ limit: 2 }))).map(({ id }) => id)).toEqual(['c', 'd']);
      expect((await storage.read((reader) => reader.customers({ limit: 2, after: 'd' }))).map(({ id }) => id)).toEqual([
        'e',
      ]);
      await storage.close();
    });

    it('changes accounts and customers in place', async () => {
      const storage = await opened();
      const { head } = await seeded(storage);
      const account = { ...ACCOUNT_A, status: 'closed' as const, balance: -1n };
      const customer = { ...CUSTOMER, status: 'disabled' as const };
      expect(await storage.commit(head, writesAfter(head, [], [account], [customer]))).toBe('committed');
      const snapshot = await storage.load({ accounts: ['a'], customers: ['c'] });
      expect([snapshot.accounts.get('a'), snapshot.customers.get('c')]).toEqual([account, customer]);
      await storage.close();
    });

    it('pages through history, newest first, also in the middle of a transaction', async () => {
      const storage = await opened();
      await seeded(storage);
      const page = (account: string, limit: number, before?: { sequence: bigint; position?: number }) =>
        storage.read((reader) => reader.history(account, before === undefined ? { limit } : { limit, before }));
      const all = await page('a', 10);
      expect(all.next).toBeUndefined();
      expect(
        all.entries.map(({ sequence, position, amount, balance }) => [sequence, position, amount, balance]),
      ).toEqual([
        [4n, 1, 3n, 11n],
        [4n, 0, -2n, 8n],
        [3n, 0, -1n, 10n],
      ]);
      expect(all.entries[0]).toMatchObject({
        debitAccount: 'b',
        creditAccount: 'a',
        currency: 'EUR',
        reference: 'r1',
        timeUs: 4n,
      });
      expect(all.entries[0]!.transactionId).toEqual(key('c', 2).transactionId);
      const first = await page('a', 1);
      expect(first.next).toEqual({ sequence: 4n, position: 1 });
      const second = await page('a', 1, first.next);
      expect(second.entries).toEqual(all.entries.slice(1, 2));
      const third = await page('a', 1, second.next);
      expect(third).toEqual({ entries: all.entries.slice(2), next: undefined });
      expect((await page('a', 10, { sequence: 4n })).entries).toEqual(all.entries.slice(2));
      expect((await page('b', 10)).entries.map(({ amount }) => amount)).toEqual([-3n, 2n, 1n]);
      expect((await page('c', 10)).entries).toEqual([]);
      await storage.close();
    });

    it('holds a view still while others write', async () => {
      const storage = await opened();
      const { head, entries } = await seeded(storage);
      await storage.read(async (reader) => {
        expect((await reader.head()).sequence).toBe(head.sequence);
        await storage.commit(
          head,
          writesAfter(head, [transaction(head.sequence + 1n, 'c', 7)], [{ ...ACCOUNT_A, balance: 77n }]),
        );
        expect((await reader.head()).sequence).toBe(head.sequence);
        expect(await reader.entries(0n, 100)).toHaveLength(entries.length);
        expect((await reader.accounts({ limit: 1 }))[0]).toEqual(ACCOUNT_A);
        expect(await reader.receipts([key('c', 7)])).toEqual([undefined]);
      });
      expect((await storage.read((reader) => reader.accounts({ limit: 1 })))[0]!.balance).toBe(77n);
      await storage.close();
    });

    it('reads several views at once', async () => {
      const storage = await opened();
      await seeded(storage);
      const views = Array.from({ length: 8 }, () =>
        storage.read(async (reader) => {
          await new Promise((resolve) => setImmediate(resolve));
          return (await reader.entries(0n, 100)).length;
        }),
      );
      expect(await Promise.all(views)).toEqual(views.map(() => 4));
      await storage.close();
    });

    it("does not keep the caller's buffers", async () => {
      const storage = await opened();
      const entry = transaction(1n, 'c', 1);
      await storage.commit(EMPTY_HEAD, writesAfter(EMPTY_HEAD, [entry], [ACCOUNT_A, ACCOUNT_B]));
      if (entry.kind === 'transaction') entry.body.fill(0xee);
      const [read] = await storage.read((reader) => reader.entries(0n, 1));
      expect(read!.entry).toEqual(transaction(1n, 'c', 1));
      await storage.close();
    });

    it('finds no damage in what it wrote', async () => {
      const storage = await opened();
      await seeded(storage);
      expect(await storage.read((reader) => reader.structure())).toEqual([]);
      await storage.close();
    });
  });
}

export const ACCOUNT_A: Account = {
  id: 'a',
  owner: 'c',
  currency: 'EUR',
  limit: undefined,
  status: 'open',
  balance: INT64_MIN,
  openedTimeUs: 1n,
};
export const ACCOUNT_B: Account = {
  ...ACCOUNT_A,
  id: 'b',
  limit: -5n,
  balance: INT64_MAX,
  openedTimeUs: 4_102_444_800_000_000n,
};
const CUSTOMER: CustomerRecord = {
  id: 'c',
  status: 'active',
  pepperVersion: 3,
  fields: [
    { tag: 'name', digest: new Uint8Array(32).fill(7) },
    { tag: 'phone', digest: new Uint8Array(32).fill(8) },
  ],
  credentialDigest: new Uint8Array(32).fill(9),
  createdTimeUs: 2n,
};

export function key(customerId: string, number: number): { customerId: string; transactionId: Uint8Array } {
  return { customerId, transactionId: new Uint8Array(16).fill(number) };
}

/** Not a real receipt: a storage does not look into it. */
function receiptBytes(number: number): Uint8Array {
  return new Uint8Array(150).fill(number);
}

export function transaction(
  sequence: bigint,
  customerId: string,
  number: number,
  transfers: readonly CommittedTransfer[] = [],
): JournalEntry {
  return {
    kind: 'transaction',
    sequence,
    timeUs: sequence,
    ...key(customerId, number),
    contentType: 'text/plain',
    body: Uint8Array.of(0, 1, 0xff, number),
    receipt: receiptBytes(number),
    transfers,
  };
}

export function writesAfter(
  head: ChainHead,
  entries: readonly JournalEntry[],
  accounts: readonly Account[] = [],
  customers: readonly CustomerRecord[] = [],
): WriteSet {
  const linked = linkEntries(head, entries);
  return {
    entries: entries.map((entry, index) => ({ entry, chain: linked.chains[index]! })),
    accounts,
    customers,
    head: linked.head,
  };
}

async function seeded(
  storage: LedgerStorage,
): Promise<{ head: ChainHead; entries: JournalEntry[]; chains: Uint8Array[] }> {
  const transfer = (
    from: string,
    to: string,
    amount: bigint,
    reference: string,
    balances: [bigint, bigint],
  ): CommittedTransfer => ({
    debitAccount: from,
    creditAccount: to,
    amount,
    currency: 'EUR',
    reference,
    debitBalance: balances[0],
    creditBalance: balances[1],
  });
  const entries: JournalEntry[] = [
    { kind: 'account', sequence: 1n, timeUs: 1n, document: accountDocument(ACCOUNT_A) },
    { kind: 'customer', sequence: 2n, timeUs: 2n, document: customerDocument(CUSTOMER) },
    transaction(3n, 'c', 1, [transfer('a', 'b', 1n, '', [10n, 1n])]),
    transaction(4n, 'c', 2, [transfer('a', 'b', 2n, 'Ünïcode', [8n, 3n]), transfer('b', 'a', 3n, 'r1', [0n, 11n])]),
  ];
  const writes = writesAfter(EMPTY_HEAD, entries, [ACCOUNT_A, ACCOUNT_B], [CUSTOMER]);
  expect(await storage.commit(EMPTY_HEAD, writes)).toBe('committed');
  return { head: writes.head, entries, chains: writes.entries.map(({ chain }) => chain) };
}
