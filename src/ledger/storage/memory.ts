import { assert } from '../../errors.ts';
import type { Account } from '../accounts.ts';
import { type ChainHead, EMPTY_HEAD, type JournalEntry, sameHead } from '../entry.ts';
import type { CustomerRecord } from '../identity.ts';
import type { HistoryEntry } from '../service.ts';
import type {
  LedgerReader,
  LedgerStorage,
  Snapshot,
  SnapshotKeys,
  StoredEntry,
  TransactionKey,
  WriteSet,
} from './storage.ts';

interface State {
  readonly head: ChainHead;
  /** Append only: a view holds a length, not a copy. */
  readonly journal: readonly StoredEntry[];
  readonly journalLength: number;
  readonly accounts: ReadonlyMap<string, Account>;
  readonly customers: ReadonlyMap<string, CustomerRecord>;
  readonly receipts: ReadonlyMap<string, Uint8Array>;
}

/** A ledger in memory: gone when the process ends. For tests, demonstrations, and as the plainest statement of the interface. */
export class MemoryStorage implements LedgerStorage {
  readonly #journal: StoredEntry[] = [];
  readonly #accounts = new Map<string, Account>();
  readonly #customers = new Map<string, CustomerRecord>();
  readonly #receipts = new Map<string, Uint8Array>();
  #head: ChainHead = EMPTY_HEAD;

  async open(): Promise<void> {}

  async load(keys: SnapshotKeys): Promise<Snapshot> {
    return {
      head: this.#head,
      accounts: pick(this.#accounts, keys.accounts ?? []),
      customers: pick(this.#customers, keys.customers ?? []),
      receipts: (keys.transactions ?? []).map((key) => this.#receipts.get(textOf(key))),
    };
  }

  async commit(expected: ChainHead, writes: WriteSet): Promise<'committed' | 'head-moved'> {
    if (!sameHead(expected, this.#head)) return 'head-moved';
    for (const { entry } of writes.entries)
      assert(entry.kind !== 'transaction' || !this.#receipts.has(textOf(entry)), 'a transaction is stored once');
    for (const { entry, chain } of writes.entries) {
      const kept = keep(entry);
      this.#journal.push({ entry: kept, chain: Uint8Array.from(chain) });
      if (kept.kind === 'transaction') this.#receipts.set(textOf(kept), kept.receipt);
    }
    for (const account of writes.accounts) this.#accounts.set(account.id, account);
    for (const customer of writes.customers) this.#customers.set(customer.id, customer);
    this.#head = writes.head;
    return 'committed';
  }

  async read<T>(work: (reader: LedgerReader) => Promise<T>): Promise<T> {
    return work(
      readerOver({
        head: this.#head,
        journal: this.#journal,
        journalLength: this.#journal.length,
        accounts: new Map(this.#accounts),
        customers: new Map(this.#customers),
        receipts: new Map(this.#receipts),
      }),
    );
  }

  async close(): Promise<void> {}
}

function textOf(key: TransactionKey): string {
  return `${key.customerId}\0${Buffer.from(key.transactionId).toString('hex')}`;
}

/** A copy that no later change of the caller's buffers can reach. */
function keep(entry: JournalEntry): JournalEntry {
  if (entry.kind !== 'transaction') return entry;
  return {
    ...entry,
    transactionId: Uint8Array.from(entry.transactionId),
    body: Uint8Array.from(entry.body),
    receipt: Uint8Array.from(entry.receipt),
  };
}

function pick<V>(map: ReadonlyMap<string, V>, keys: Iterable<string>): Map<string, V> {
  const picked = new Map<string, V>();
  for (const key of keys) {
    const value = map.get(key);
    if (value !== undefined) picked.set(key, value);
  }
  return picked;
}

function pageOf<V extends { readonly id: string }>(
  map: ReadonlyMap<string, V>,
  { after, limit }: { after?: string; limit: number },
  wanted: (value: V) => boolean,
): V[] {
  return [...map.values()]
    .filter((value) => wanted(value) && (after === undefined || value.id > after))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .slice(0, limit);
}

function readerOver(state: State): LedgerReader {
  return {
    head: async () => state.head,
    entries: async (after, limit) => {
      const end = Math.min(state.journalLength, Number(after) + limit);
      return state.journal
        .slice(Number(after), end)
        .map(({ entry, chain }) => ({ sequence: entry.sequence, entry, chain }));
    },
    accounts: async (page) =>
      pageOf(state.accounts, page, (account) => page.owner === undefined || account.owner === page.owner),
    customers: async (page) => pageOf(state.customers, page, () => true),
    receipts: async (keys) => keys.map((key) => state.receipts.get(textOf(key))),
    history: async (account, page) => {
      const before = page.before ?? { sequence: state.head.sequence + 1n };
      const found: HistoryEntry[] = [];
      for (let index = state.journalLength - 1; index >= 0 && found.length <= page.limit; index--)
        found.push(...historyOf(state.journal[index]!.entry, account).filter((entry) => isOlder(entry, before)));
      const entries = found.slice(0, page.limit);
      const last = entries.at(-1);
      const more = found.length > page.limit && last !== undefined;
      return { entries, next: more ? { sequence: last.sequence, position: last.position } : undefined };
    },
    structure: async () => [],
  };
}

function isOlder(entry: HistoryEntry, than: { readonly sequence: bigint; readonly position?: number }): boolean {
  if (entry.sequence !== than.sequence) return entry.sequence < than.sequence;
  return entry.position < (than.position ?? 0);
}

/** The account's transfers of one entry, newest first. */
function historyOf(entry: JournalEntry, account: string): HistoryEntry[] {
  if (entry.kind !== 'transaction') return [];
  return entry.transfers
    .flatMap((transfer, position): HistoryEntry[] => {
      const debited = transfer.debitAccount === account;
      if (!debited && transfer.creditAccount !== account) return [];
      return [
        {
          sequence: entry.sequence,
          position,
          timeUs: entry.timeUs,
          transactionId: entry.transactionId,
          debitAccount: transfer.debitAccount,
          creditAccount: transfer.creditAccount,
          currency: transfer.currency,
          amount: debited ? -transfer.amount : transfer.amount,
          balance: debited ? transfer.debitBalance : transfer.creditBalance,
          reference: transfer.reference,
        },
      ];
    })
    .reverse();
}
