import { SallyportError } from '../../src/errors.ts';
import { type ChainHead, EMPTY_HEAD, sameHead } from '../../src/ledger/entry.ts';
import { MemoryStorage } from '../../src/ledger/storage/memory.ts';
import type {
  LedgerReader,
  LedgerStorage,
  Snapshot,
  SnapshotKeys,
  WriteSet,
} from '../../src/ledger/storage/storage.ts';
import type { OpenFile, SimulatedDisk } from './disk.ts';
import { encodeRecord, recoverLog } from './write-ahead-log.ts';

/** Bugs to plant into a storage. */
export interface StorageBugs {
  /** Says that a commit is stored before it was synced. */
  readonly acknowledgesEarly?: boolean;
  /** Goes on from what it found at opening without syncing it: a process that died may have written it and not synced it. */
  readonly trustsWhatItFinds?: boolean;
  /** After opening, does not find the transactions of before. */
  readonly forgetsIds?: boolean;
}

/**
 * A ledger on a simulated disk, by the rules of storage.ts: a write-ahead log with a model of its own, and the state that follows from it in
 * memory. A commit that failed leaves bytes behind the log's end, which the next one overwrites; when the process dies before, they may
 * turn out to be a whole commit.
 */
export class SimulatedStorage implements LedgerStorage {
  readonly #file: OpenFile;
  readonly #bugs: StorageBugs;
  readonly #readFails: () => boolean;
  readonly #state = new MemoryStorage();
  #head: ChainHead = EMPTY_HEAD;
  #end = 0;
  #lastCommit: Promise<unknown> = Promise.resolve();
  #open = false;
  /** What opening found. */
  found = { commits: 0, torn: false };

  constructor(disk: SimulatedDisk, bugs: StorageBugs = {}, readFails: () => boolean = () => false) {
    this.#file = disk.open();
    this.#bugs = bugs;
    this.#readFails = readFails;
  }

  async open(): Promise<void> {
    const { commits, bytes, torn } = recoverLog(this.#file.read());
    const replayed = commits.map((writes) => {
      const expected = this.#head;
      this.#head = writes.head;
      return this.#state.commit(expected, this.#bugs.forgetsIds === true ? withoutIds(writes) : writes);
    });
    await Promise.all(replayed);
    this.#end = bytes;
    this.found = { commits: commits.length, torn };
    if (this.#bugs.trustsWhatItFinds !== true) await guarded(() => this.#file.sync());
    this.#open = true;
  }

  async load(keys: SnapshotKeys): Promise<Snapshot> {
    this.#assertReadable();
    return this.#state.load(keys);
  }

  commit(expected: ChainHead, writes: WriteSet): Promise<'committed' | 'head-moved'> {
    const done = this.#lastCommit.then(() => this.#commit(expected, writes));
    this.#lastCommit = done.catch(() => undefined);
    return done;
  }

  async read<T>(work: (reader: LedgerReader) => Promise<T>): Promise<T> {
    this.#assertReadable();
    return this.#state.read(work);
  }

  async close(): Promise<void> {
    await this.#lastCommit;
    this.#open = false;
  }

  async #commit(expected: ChainHead, writes: WriteSet): Promise<'committed' | 'head-moved'> {
    this.#assertReadable();
    if (!sameHead(expected, this.#head)) return 'head-moved';
    // What the caller may change or wipe afterwards is in the record already.
    const record = encodeRecord(expected, writes);
    await this.#refuseRepetition(writes);
    await guarded(() => this.#file.write(this.#end, record));
    if (this.#bugs.acknowledgesEarly !== true) await guarded(() => this.#file.sync());
    this.#end += record.length;
    this.#head = writes.head;
    return this.#state.commit(expected, writes);
  }

  /** A transaction is stored once: a caller that asks for more has a bug, and nothing of it may reach the disk. */
  async #refuseRepetition({ entries }: WriteSet): Promise<void> {
    const transactions = entries.flatMap(({ entry }) => (entry.kind === 'transaction' ? [entry] : []));
    const { receipts } = await this.#state.load({ transactions });
    if (receipts.some((receipt) => receipt !== undefined)) throw new Error('a transaction is stored once');
  }

  #assertReadable(): void {
    if (!this.#open) throw new SallyportError('LEDGER_UNAVAILABLE', 'The simulated ledger is closed.');
    if (this.#readFails()) throw new SallyportError('LEDGER_UNAVAILABLE', 'The simulated disk could not be read.');
  }
}

async function guarded(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw new SallyportError(
      'LEDGER_UNAVAILABLE',
      `The simulated ledger is not available: ${(cause as Error).message}.`,
      {
        cause,
      },
    );
  }
}

function withoutIds(writes: WriteSet): WriteSet {
  return {
    ...writes,
    entries: writes.entries.map(({ entry, chain }) => ({
      chain,
      entry:
        entry.kind === 'transaction'
          ? { ...entry, transactionId: entry.transactionId.map((byte) => byte ^ 0xff) }
          : entry,
    })),
  };
}
