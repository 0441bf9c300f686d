import { createPrivateKey, KeyObject } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { assert, SallyportError } from '../errors.ts';
import {
  LEDGER_BATCH_BYTES_MAX,
  LEDGER_BATCH_TRANSACTIONS_MAX,
  LEDGER_BUSY_RETRY_MS,
  LEDGER_QUEUE_BYTES_MAX,
  LEDGER_QUEUE_READS_MAX,
  LEDGER_QUEUE_TRANSACTIONS_MAX,
  LEDGER_RESTART_DELAY_MS_MAX,
  LEDGER_RESTART_DELAY_MS_MIN,
  LEDGER_STALL_MS,
} from '../limits.ts';
import type { Account, AccountStatus } from './accounts.ts';
import type { CustomerRecord, CustomerStatus } from './identity.ts';
import { checkSubmitted } from './ledger.ts';
import type {
  AccountOpening,
  Funding,
  HistoryCursor,
  HistoryPage,
  LedgerService,
  SubmitResult,
  SubmittedTransaction,
} from './service.ts';
import type { LedgerCheck } from './storage/sqlite-check.ts';
import {
  type Call,
  type CallName,
  errorOf,
  type FromThread,
  type PackedRecords,
  packTransactions,
  type ThreadSettings,
  type ToThread,
  unpackRecords,
  unpackResults,
} from './thread-messages.ts';

/** What the operator's log should know. */
export type LedgerEvent =
  | { readonly kind: 'processor-failed'; readonly contentType: string; readonly message: string }
  | { readonly kind: 'thread-ended'; readonly message: string; readonly restartInMs: number }
  | { readonly kind: 'thread-restarted' };

export interface LedgerClientOptions {
  /** The SQLite file; made when there is none. */
  readonly path: string;
  /** The host's Ed25519 private key, which signs receipts: KeyObject, or PKCS#8 DER (whose owner may wipe it afterwards). */
  readonly privateKey: KeyObject | Uint8Array;
  /** Processor modules: paths relative to `baseDirectory`, or package names. */
  readonly processors?: readonly string[];
  readonly baseDirectory?: string;
  /** The file's largest size in pages of 4096 bytes. */
  readonly pagesMax?: number;
  /** How much of the file is looked at before the start; `full` when left out. A thread that is started again looks at the newest entries. */
  readonly check?: LedgerCheck;
  readonly onEvent?: (event: LedgerEvent) => void;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: SallyportError) => void;
}

/** What waits for the thread, and what the thread has. */
class Lane<Item, Result> {
  readonly waiting: Waiting<Item, Result>[] = [];
  sent: readonly Waiting<Item, Result>[] = [];

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => this.waiting.push({ item, resolve, reject }));
  }

  get size(): number {
    return this.waiting.length + this.sent.length;
  }

  rejectAll(error: SallyportError): void {
    const all = [...this.sent, ...this.waiting.splice(0)];
    this.sent = [];
    for (const { reject } of all) reject(error);
  }
}

const OUTCOME_UNKNOWN = 'what was submitted may or may not have taken effect: ask again with the same id';

/**
 * The ledger in a thread of its own, so that the event loop never waits for the disk. What arrives while a commit runs travels together
 * as the next one (group commit). Bodies must not change before their promise settles.
 *
 * When the thread ends unexpectedly, what was pending is rejected with LEDGER_UNAVAILABLE, as is everything until it runs again.
 */
export class LedgerClient implements LedgerService {
  readonly #settings: ThreadSettings;
  readonly #onEvent: (event: LedgerEvent) => void;
  readonly #submissions = new Lane<SubmittedTransaction, SubmitResult>();
  readonly #calls = new Lane<Call, unknown>();
  #submittedBytes = 0;
  #commits = 0;
  #committed = 0;
  #worker: Worker | undefined;
  #ready = false;
  #closing: (() => void) | undefined;
  #closed = false;
  #flushScheduled = false;
  #restartDelayMs = LEDGER_RESTART_DELAY_MS_MIN;
  #restartTimer: NodeJS.Timeout | undefined;
  #stallTimer: NodeJS.Timeout | undefined;

  private constructor(options: LedgerClientOptions) {
    this.#settings = {
      path: options.path,
      pagesMax: options.pagesMax,
      check: options.check ?? 'full',
      privateKey:
        options.privateKey instanceof KeyObject
          ? options.privateKey
          : createPrivateKey({ key: Buffer.from(options.privateKey), format: 'der', type: 'pkcs8' }),
      processors: options.processors ?? [],
      baseDirectory: options.baseDirectory ?? process.cwd(),
    };
    this.#onEvent = options.onEvent ?? (() => undefined);
  }

  /** Starts the thread; fulfilled when the ledger is open. Rejects as LedgerStorage.open does, or with BAD_CONFIGURATION. */
  static async start(options: LedgerClientOptions): Promise<LedgerClient> {
    const client = new LedgerClient(options);
    await client.#startThread();
    return client;
  }

  async submit(batch: readonly SubmittedTransaction[]): Promise<SubmitResult[]> {
    for (const transaction of batch) checkSubmitted(transaction);
    this.#assertRunning();
    const bytes = batch.reduce((sum, { body }) => sum + body.length, 0);
    if (
      this.#submissions.size + batch.length > LEDGER_QUEUE_TRANSACTIONS_MAX ||
      this.#submittedBytes + bytes > LEDGER_QUEUE_BYTES_MAX
    )
      throw busy();
    this.#submittedBytes += bytes;
    const results = batch.map((transaction) => this.#submissions.add(transaction));
    this.#scheduleFlush();
    try {
      return await Promise.all(results);
    } finally {
      this.#submittedBytes -= bytes;
    }
  }

  findCustomers(ids: readonly string[]): Promise<(CustomerRecord | undefined)[]> {
    return this.#call('findCustomers', ids);
  }

  async findIdentities(ids: readonly string[]): Promise<(CustomerRecord | undefined)[]> {
    return unpackRecords(await this.#call<PackedRecords>('findIdentities', ids));
  }

  balances(customerId: string): Promise<Account[]> {
    return this.#call('balances', customerId);
  }

  history(
    customerId: string,
    account: string,
    page: { before?: HistoryCursor; limit: number },
  ): Promise<HistoryPage | undefined> {
    return this.#call('history', customerId, account, page);
  }

  enroll(record: Omit<CustomerRecord, 'createdTimeUs' | 'status'>): Promise<CustomerRecord> {
    return this.#call('enroll', record);
  }

  setCustomerStatus(id: string, status: CustomerStatus): Promise<CustomerRecord> {
    return this.#call('setCustomerStatus', id, status);
  }

  listCustomers(page: { after?: string; limit: number }): Promise<CustomerRecord[]> {
    return this.#call('listCustomers', page);
  }

  openAccount(opening: AccountOpening): Promise<Account> {
    return this.#call('openAccount', opening);
  }

  setAccountStatus(id: string, status: AccountStatus): Promise<Account> {
    return this.#call('setAccountStatus', id, status);
  }

  listAccounts(page: { owner?: string; after?: string; limit: number }): Promise<Account[]> {
    return this.#call('listAccounts', page);
  }

  fund(funding: Funding): Promise<SubmitResult> {
    return this.#call('fund', funding);
  }

  /** How many transactions and calls wait for the thread or are with it: for metrics and admission. */
  get pending(): { readonly transactions: number; readonly calls: number } {
    return { transactions: this.#submissions.size, calls: this.#calls.size };
  }

  /** Since the start: batches that were committed, and the transactions in them, refused ones and repetitions included. */
  get progress(): { readonly commits: number; readonly transactions: number } {
    return { commits: this.#commits, transactions: this.#committed };
  }

  /** Whether the thread runs and takes work. */
  get available(): boolean {
    return this.#ready && !this.#closed;
  }

  /** Finishes what was accepted, closes the ledger and ends the thread. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#restartTimer);
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    const drained = new Promise<void>((resolve) => {
      this.#closing = resolve;
    });
    this.#endIfDrained();
    await Promise.race([drained, ended]);
    this.#post(worker, { kind: 'close' });
    await ended;
  }

  async #call<Result>(method: CallName, ...parameters: readonly unknown[]): Promise<Result> {
    this.#assertRunning();
    if (this.#calls.size >= LEDGER_QUEUE_READS_MAX) throw busy();
    const result = this.#calls.add({ method, parameters });
    this.#scheduleFlush();
    // The thread runs the method of this name and of LedgerService's type.
    return (await result) as Result;
  }

  #assertRunning(): void {
    if (this.#closed) throw new SallyportError('LEDGER_UNAVAILABLE', 'The ledger is closed; nothing was done.');
    if (!this.#ready) throw new SallyportError('LEDGER_UNAVAILABLE', 'The ledger is starting again; nothing was done.');
  }

  /** Once for everything that arrives in this turn of the event loop. */
  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const worker = this.#worker;
    if (worker === undefined || !this.#ready) return;
    if (this.#submissions.sent.length === 0 && this.#submissions.waiting.length > 0) {
      this.#submissions.sent = this.#submissions.waiting.splice(0, this.#nextBatchSize());
      const transactions = packTransactions(this.#submissions.sent.map(({ item }) => item));
      this.#post(worker, { kind: 'submit', transactions }, [transactions.bytes.buffer]);
    }
    if (this.#calls.sent.length === 0 && this.#calls.waiting.length > 0) {
      this.#calls.sent = this.#calls.waiting.splice(0);
      this.#post(worker, { kind: 'calls', calls: this.#calls.sent.map(({ item }) => item) });
    }
    this.#watch(worker);
    this.#endIfDrained();
  }

  #nextBatchSize(): number {
    let bytes = 0;
    const most = Math.min(this.#submissions.waiting.length, LEDGER_BATCH_TRANSACTIONS_MAX);
    for (let count = 0; count < most; count++) {
      bytes += this.#submissions.waiting[count]!.item.body.length;
      if (count > 0 && bytes > LEDGER_BATCH_BYTES_MAX) return count;
    }
    return most;
  }

  /** A thread that does not answer within LEDGER_STALL_MS is ended; its end is handled like any other. */
  #watch(worker: Worker): void {
    clearTimeout(this.#stallTimer);
    if (this.#submissions.sent.length + this.#calls.sent.length === 0) return;
    this.#stallTimer = setTimeout(() => void worker.terminate(), LEDGER_STALL_MS);
    this.#stallTimer.unref();
  }

  #endIfDrained(): void {
    if (this.#closing !== undefined && this.#submissions.size + this.#calls.size === 0) this.#closing();
  }

  #post(worker: Worker, message: ToThread, transfer: readonly ArrayBuffer[] = []): void {
    worker.postMessage(message, transfer);
  }

  #startThread(): Promise<void> {
    return new Promise((resolve, reject) => {
      // Beside this module, under the name it has here: TypeScript in the sources, JavaScript in the package.
      const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
      const worker = new Worker(new URL(`./ledger-thread${extension}`, import.meta.url), {
        workerData: this.#restartTimer === undefined ? this.#settings : { ...this.#settings, check: 'tail' },
        execArgv: [],
        name: 'ledger',
      });
      this.#worker = worker;
      let failure: SallyportError | undefined;
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'failed') failure = errorOf(message.error);
        if (message.kind === 'ready') {
          this.#ready = true;
          resolve();
        }
        this.#receive(message);
      });
      worker.on('error', (error) => {
        failure ??= new SallyportError('LEDGER_UNAVAILABLE', `The ledger's thread failed: ${String(error)}.`, {
          cause: error,
        });
      });
      worker.on('exit', (exitCode) => {
        const cause =
          failure ?? new SallyportError('LEDGER_UNAVAILABLE', `The ledger's thread ended with exit code ${exitCode}.`);
        reject(cause);
        this.#threadEnded(cause);
      });
    });
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case 'submitted': {
        const sent = this.#submissions.sent;
        this.#submissions.sent = [];
        this.#restartDelayMs = LEDGER_RESTART_DELAY_MS_MIN;
        const { outcome } = message;
        // The next batch leaves before the results of this one are handled.
        this.#flush();
        if ('error' in outcome) {
          for (const { reject } of sent) reject(errorOf(outcome.error));
          return;
        }
        const results = unpackResults(outcome.value);
        assert(results.length === sent.length, 'every transaction has one result');
        this.#commits += 1;
        this.#committed += results.length;
        for (const [index, { resolve }] of sent.entries()) resolve(results[index]!);
        return;
      }
      case 'called': {
        const sent = this.#calls.sent;
        this.#calls.sent = [];
        this.#flush();
        assert(message.outcomes.length === sent.length, 'every call has one outcome');
        for (const [index, { resolve, reject }] of sent.entries()) {
          const outcome = message.outcomes[index]!;
          if ('error' in outcome) reject(errorOf(outcome.error));
          else resolve(outcome.value);
        }
        return;
      }
      case 'processor-failed':
        this.#onEvent(message);
        return;
      case 'ready':
      case 'failed':
        return;
    }
  }

  #threadEnded(cause: SallyportError): void {
    const wasReady = this.#ready;
    this.#ready = false;
    this.#worker = undefined;
    clearTimeout(this.#stallTimer);
    const unknown = new SallyportError('LEDGER_UNAVAILABLE', `${cause.message} For now, ${OUTCOME_UNKNOWN}.`, {
      cause,
    });
    this.#submissions.rejectAll(unknown);
    this.#calls.rejectAll(unknown);
    // A ledger that never opened is its starter's to report; one that was closed has ended well.
    if (this.#closed || (!wasReady && this.#restartTimer === undefined)) return;
    const restartInMs = this.#restartDelayMs;
    this.#restartDelayMs = Math.min(2 * restartInMs, LEDGER_RESTART_DELAY_MS_MAX);
    this.#onEvent({ kind: 'thread-ended', message: cause.message, restartInMs });
    this.#restartTimer = setTimeout(() => {
      if (this.#closed) return;
      this.#startThread().then(
        () => this.#onEvent({ kind: 'thread-restarted' }),
        // Its end was reported, and the next attempt arranged, by #threadEnded.
        () => undefined,
      );
    }, restartInMs);
  }
}

function busy(): SallyportError {
  return new SallyportError('BUSY', 'The ledger has no room in its queue; nothing was done.', {
    retryAfterMs: LEDGER_BUSY_RETRY_MS,
  });
}
