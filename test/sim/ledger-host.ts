import { SallyportError } from '../../src/errors.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { Processor } from '../../src/ledger/processor.ts';
import { createProcessorRegistry } from '../../src/ledger/processor-registry.ts';
import type { ReceiptSigner } from '../../src/ledger/receipts.ts';
import type { LedgerService, SubmitResult, SubmittedTransaction } from '../../src/ledger/service.ts';
import type { LedgerStorage } from '../../src/ledger/storage/storage.ts';
import {
  LEDGER_BATCH_TRANSACTIONS_MAX,
  LEDGER_RESTART_DELAY_MS_MAX,
  LEDGER_RESTART_DELAY_MS_MIN,
  LEDGER_STALL_MS,
} from '../../src/limits.ts';
import type { SimulatedDisk } from './disk.ts';
import { SimulatedStorage, type StorageBugs } from './simulated-storage.ts';
import type { Sky } from './weather.ts';
import { cancel, type Planned, type World } from './world.ts';

/** Small, so that a burst of a fleet meets it. */
const QUEUE_MAX = 96;
/** The machine's clock at the beginning of a fleet, in microseconds. */
const CLOCK_BEGINS_US = 1_700_000_000_000_000n;
export const NOTE_TYPE = 'simulation/note';

/** A document that is receipted and moves nothing. */
const noteProcessor: Processor = {
  contentType: NOTE_TYPE,
  plan: () => ({ kind: 'transfers', transfers: [], atomic: true }),
  answer: () => ({ contentType: NOTE_TYPE, body: new Uint8Array(0) }),
};

interface Waiting {
  readonly transaction: SubmittedTransaction;
  readonly resolve: (result: SubmitResult) => void;
  readonly reject: (error: SallyportError) => void;
}

export interface LedgerHostParts {
  readonly world: World;
  readonly sky: Sky;
  readonly disk: SimulatedDisk;
  readonly clock: WallClock;
  readonly signer: ReceiptSigner;
  readonly bugs: StorageBugs;
  /** The ledger is open for the first time. */
  readonly onOpen: () => void;
  /** Told of what only a bug can bring about. */
  readonly onBug: (cause: unknown) => void;
}

/** The clock that the ledger looks at: it jumps, both ways. */
export class WallClock {
  offsetUs = 0n;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  nowUs(): bigint {
    return CLOCK_BEGINS_US + BigInt(Math.floor(this.#world.nowMs * 1_000)) + this.offsetUs;
  }
}

/**
 * What LedgerClient and its thread are to the server: one batch at a time, what comes meanwhile travels together as the next one; when the
 * thread dies, everything that waits is told that its outcome is not known, and it is started again after a while that doubles.
 */
export class LedgerHost implements Pick<LedgerService, 'findIdentities' | 'balances' | 'history'> {
  readonly #parts: LedgerHostParts;
  #ledger: Ledger | undefined;
  #waiting: Waiting[] = [];
  #sent: readonly Waiting[] = [];
  readonly #calls = new Set<(error: SallyportError) => void>();
  #life = 0;
  #everOpen = false;
  #restartDelayMs = LEDGER_RESTART_DELAY_MS_MIN;
  #restart: Planned | undefined;
  #stall: Planned | undefined;

  constructor(parts: LedgerHostParts) {
    this.#parts = parts;
  }

  get available(): boolean {
    return this.#ledger !== undefined;
  }

  get pending(): number {
    return this.#waiting.length + this.#sent.length + this.#calls.size;
  }

  /** The ledger in the hands of the operator, who writes beside the server; undefined while it is not open. */
  get ledger(): Ledger | undefined {
    return this.#ledger;
  }

  /** Opens the ledger; tries again until it opens. */
  start(): void {
    const { world, sky, disk, bugs, signer, onBug } = this.#parts;
    const life = ++this.#life;
    const readFails = (): boolean => {
      const failed = world.random.oneIn(sky.weather.readFailsOneIn);
      if (failed) world.count('fault: disk read failed');
      return failed;
    };
    const storage = new SimulatedStorage(disk, bugs, readFails);
    storage.open().then(
      () => {
        if (life !== this.#life) return;
        if (storage.found.commits > 0) world.count('ledger recovered');
        if (storage.found.torn) world.count('torn commit discarded');
        world.tell(
          () =>
            `ledger opens with ${storage.found.commits} commits${storage.found.torn ? ', a torn one discarded' : ''}`,
        );
        this.#restartDelayMs = LEDGER_RESTART_DELAY_MS_MIN;
        this.#ledger = ledgerOver(storage, signer, this.#parts.clock, onBug);
        if (this.#everOpen) return;
        this.#everOpen = true;
        this.#parts.onOpen();
      },
      (error: unknown) => {
        if (life !== this.#life) return;
        if (!(error instanceof SallyportError)) onBug(error);
        this.#planRestart();
      },
    );
  }

  submit(transaction: SubmittedTransaction): Promise<SubmitResult> {
    if (this.#ledger === undefined) return Promise.reject(unavailable('starts again'));
    if (this.#waiting.length >= QUEUE_MAX) {
      this.#parts.world.count('ledger busy');
      return Promise.reject(new SallyportError('BUSY', 'the queue is full', { retryAfterMs: 500 }));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ transaction, resolve, reject });
      this.#parts.world.after(0, () => this.#flush());
    });
  }

  findIdentities(ids: readonly string[]): ReturnType<LedgerService['findIdentities']> {
    return this.#call((ledger) => ledger.findIdentities(ids));
  }

  balances(customerId: string): ReturnType<LedgerService['balances']> {
    return this.#call((ledger) => ledger.balances(customerId));
  }

  history(...parameters: Parameters<LedgerService['history']>): ReturnType<LedgerService['history']> {
    return this.#call((ledger) => ledger.history(...parameters));
  }

  /** The thread dies at this moment; the server goes on. */
  kill(): void {
    if (this.#ledger === undefined) return;
    this.#parts.world.count('fault: ledger thread killed');
    this.#parts.world.tell(() => 'the thread of the ledger is killed');
    this.#parts.disk.writerDied();
    this.#die();
    this.#planRestart();
  }

  /** The whole process is gone: nobody is told anything. */
  vanish(): void {
    this.#calls.clear();
    this.#waiting = [];
    this.#sent = [];
    cancel(this.#restart);
    this.#die();
  }

  #die(): void {
    this.#life++;
    this.#ledger = undefined;
    cancel(this.#stall);
    const unknown = unavailable('died; the outcome is not known');
    const pending = [...this.#sent, ...this.#waiting];
    const calls = [...this.#calls];
    this.#sent = [];
    this.#waiting = [];
    this.#calls.clear();
    for (const { reject } of pending) reject(unknown);
    for (const reject of calls) reject(unknown);
    this.#parts.world.touchPromises();
  }

  #planRestart(): void {
    const delayMs = this.#restartDelayMs;
    this.#restartDelayMs = Math.min(2 * delayMs, LEDGER_RESTART_DELAY_MS_MAX);
    this.#restart = this.#parts.world.after(delayMs, () => {
      this.start();
      this.#parts.world.touchPromises();
    });
  }

  #flush(): void {
    if (this.#ledger === undefined || this.#sent.length > 0 || this.#waiting.length === 0) return;
    const { world } = this.#parts;
    const life = this.#life;
    this.#sent = this.#waiting.splice(0, LEDGER_BATCH_TRANSACTIONS_MAX);
    this.#stall = world.after(LEDGER_STALL_MS, () => this.kill());
    const settled = (settle: (waiting: Waiting, index: number) => void): void => {
      if (life !== this.#life) return;
      cancel(this.#stall);
      const sent = this.#sent;
      this.#sent = [];
      world.count('batches');
      sent.forEach(settle);
      this.#flush();
    };
    this.#ledger.submit(this.#sent.map(({ transaction }) => transaction)).then(
      (results) => settled(({ resolve }, index) => resolve(results[index]!)),
      (error: SallyportError) => settled(({ reject }) => reject(error)),
    );
    world.touchPromises();
  }

  #call<T>(work: (ledger: Ledger) => Promise<T>): Promise<T> {
    const ledger = this.#ledger;
    if (ledger === undefined) return Promise.reject(unavailable('starts again'));
    return new Promise((resolve, reject) => {
      this.#calls.add(reject);
      work(ledger).then(
        (value) => {
          this.#calls.delete(reject);
          resolve(value);
        },
        (error: unknown) => {
          this.#calls.delete(reject);
          reject(error);
        },
      );
    });
  }
}

export function ledgerOver(
  storage: LedgerStorage,
  signer: ReceiptSigner,
  clock: WallClock,
  onBug: (cause: unknown) => void,
): Ledger {
  return new Ledger({
    storage,
    signer,
    processors: createProcessorRegistry([noteProcessor]),
    clock: () => clock.nowUs(),
    report: (_contentType, cause) => onBug(cause),
  });
}

function unavailable(what: string): SallyportError {
  return new SallyportError('LEDGER_UNAVAILABLE', `The thread of the ledger ${what}.`);
}
