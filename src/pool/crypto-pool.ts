import type { KeyObject } from 'node:crypto';
import { Piscina } from 'piscina';
import type { ArrivalJob } from '../crypto/arrival-keys.ts';
import type { GroupName } from '../crypto/groups.ts';
import type { SessionKeys } from '../crypto/key-schedule.ts';
import type { OfferJob } from '../crypto/offer-keys.ts';
import { assert, SallyportError } from '../errors.ts';
import {
  type BatchResponse,
  decodeResponse,
  encodeRequest,
  type Made,
  moved,
  type OfferMade,
} from './batch-messages.ts';
import type { WorkerData } from './worker.ts';

export interface CryptoPoolOptions {
  /** Worker threads, fixed. */
  readonly threads: number;
  /** Jobs that may wait; one more is refused with BUSY. */
  readonly queueMax: number;
  /** Whether V8's experimental 256-bit vectors may be used (docs/KERNELS.md): the process-wide flag is set, and its kernel timed at start. */
  readonly quads?: boolean;
  /** Groups to warm up. */
  readonly groups: readonly GroupName[];
  /** Ed25519 private key that signs offers. */
  readonly hostKey: KeyObject;
  /** A worker that is silent for longer is stuck and ended; BATCH_TIME_MAX_MS when left out. */
  readonly batchTimeMaxMs?: number;
  /** A worker crashed or was stuck: its batch failed, and a new one takes its place. For the log. */
  readonly onWorkerFailure?: (error: Error) => void;
}

export interface CryptoPoolGauges {
  readonly threads: number;
  /** Jobs waiting. */
  readonly queued: number;
  readonly queueMax: number;
  /** Batches at the workers. */
  readonly running: number;
  /** Since the start. */
  readonly batches: number;
  readonly jobs: number;
  /** Batches by their number of jobs: at index 0 those of one job, up to BATCH_JOBS_MAX. */
  readonly batchSizes: readonly number[];
  /** Passes of the kernel over jobs of one kind, as many as their numbers need; and those of them that had no lane empty. */
  readonly passes: number;
  readonly fullPasses: number;
}

/** Jobs in one batch: about ten milliseconds of the default group, so that a stuck or lost batch harms few and latency stays even. */
export const BATCH_JOBS_MAX = 16;
/** Exponentiations that the standard kernel and the quads' do at once, in little more time than one (docs/KERNELS.md). */
const LANES_STANDARD = 2;
const LANES_QUADS = 4;
/** A batch of the largest group takes less than a tenth of this on a slow machine: a worker that is silent for longer is stuck. */
const BATCH_TIME_MAX_MS = 10_000;
/** Loading and warming one worker takes a second on a slow machine. */
const START_TIME_MAX_MS = 60_000;
/** What a customer is told to wait when the queue is full: the queue is worked off within a second or so. */
const BUSY_RETRY_AFTER_MS = 500;

interface Waiting<Job, Result> {
  readonly job: Job;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: SallyportError) => void;
}

/**
 * Exponentiations, ML-KEM, signatures and key schedules on a fixed number of threads. A task costs the same whatever is in it, so what
 * arrives within one turn of the event loop, or while every worker is busy, travels together as one batch; an idle worker never waits
 * for a fuller one. Arrivals go before offers: a session that has begun is finished before another begins.
 */
export class CryptoPool {
  readonly #options: CryptoPoolOptions;
  readonly #piscina: Piscina;
  readonly #offers: Waiting<OfferJob, Made<OfferMade>>[] = [];
  readonly #arrivals: Waiting<ArrivalJob, Made<SessionKeys>>[] = [];
  readonly #lanes: number;
  #running = 0;
  #batches = 0;
  #jobs = 0;
  readonly #batchSizes = Array<number>(BATCH_JOBS_MAX).fill(0);
  #passes = 0;
  #fullPasses = 0;
  #dispatchPlanned = false;
  #closed = false;

  private constructor(options: CryptoPoolOptions, ready: Int32Array<SharedArrayBuffer>) {
    this.#options = options;
    this.#lanes = options.quads === true ? LANES_QUADS : LANES_STANDARD;
    const workerData: WorkerData = {
      hostKey: options.hostKey.export({ format: 'der', type: 'pkcs8' }),
      groups: options.groups,
      quads: options.quads === true,
      ready,
    };
    this.#piscina = new Piscina({
      filename: new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url).href,
      name: 'performBatch',
      minThreads: options.threads,
      maxThreads: options.threads,
      concurrentTasksPerWorker: 1,
      workerData,
    });
  }

  /** Starts the threads; fulfilled when every one of them has loaded and warmed the core. */
  static async start(options: CryptoPoolOptions): Promise<CryptoPool> {
    assert(options.threads >= 1 && options.queueMax >= 1, 'a pool has a thread and room for a job');
    const ready = new Int32Array(new SharedArrayBuffer(4));
    const pool = new CryptoPool(options, ready);
    const failed = new Promise<never>((_, reject) => pool.#piscina.once('error', reject));
    try {
      await Promise.race([allReady(ready, options.threads), failed]);
    } catch (cause) {
      await pool.close();
      throw new SallyportError('INTERNAL', 'the crypto workers did not start', { cause });
    }
    pool.#piscina.on('error', (error: Error) => options.onWorkerFailure?.(error));
    return pool;
  }

  get gauges(): CryptoPoolGauges {
    return {
      threads: this.#options.threads,
      queued: this.#queued,
      queueMax: this.#options.queueMax,
      running: this.#running,
      batches: this.#batches,
      jobs: this.#jobs,
      batchSizes: [...this.#batchSizes],
      passes: this.#passes,
      fullPasses: this.#fullPasses,
    };
  }

  /** The share of the queue in use, 0 to 1. */
  get load(): number {
    return this.#queued / this.#options.queueMax;
  }

  /**
   * A fresh a, Ys, K and the signed OFFER; undefined when the customer's ML-KEM key is bad. Errors: BUSY (queue full), SHUTDOWN, INTERNAL
   * (the worker failed).
   */
  makeOffer(job: OfferJob): Promise<Made<OfferMade>> {
    return this.#enqueue(this.#offers, job);
  }

  /**
   * Checks of Yc, Z, the keys and customer_finished; undefined when the key exchange failed. The pool takes over the job's secrets and
   * wipes them, whatever happens. Errors as makeOffer.
   */
  async makeKeys(job: ArrivalJob): Promise<Made<SessionKeys>> {
    try {
      return await this.#enqueue(this.#arrivals, job);
    } finally {
      wipeArrival(job);
    }
  }

  /** Ends the threads. What waits is refused with SHUTDOWN; what runs is given up. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const waiting of [...this.#offers.splice(0), ...this.#arrivals.splice(0)]) waiting.reject(shutdown());
    await this.#piscina.destroy();
  }

  get #queued(): number {
    return this.#offers.length + this.#arrivals.length;
  }

  #enqueue<Job, Result>(queue: Waiting<Job, Result>[], job: Job): Promise<Result> {
    if (this.#closed) return Promise.reject(shutdown());
    if (this.#queued >= this.#options.queueMax) {
      return Promise.reject(
        new SallyportError('BUSY', 'the crypto queue is full', { retryAfterMs: BUSY_RETRY_AFTER_MS }),
      );
    }
    return new Promise((resolve, reject) => {
      queue.push({ job, resolve, reject });
      this.#planDispatch();
    });
  }

  /** At the end of this turn of the event loop, so that everything it brought travels together. */
  #planDispatch(): void {
    if (this.#dispatchPlanned) return;
    this.#dispatchPlanned = true;
    setImmediate(() => {
      this.#dispatchPlanned = false;
      while (this.#running < this.#options.threads && this.#queued > 0 && !this.#closed) this.#dispatch();
    });
  }

  /** Sends an even share of what waits to an idle worker, in whole passes of the kernel where there are enough. */
  #dispatch(): void {
    const idle = this.#options.threads - this.#running;
    const share = (waiting: number, room: number): number =>
      Math.min(room, Math.ceil(waiting / idle / this.#lanes) * this.#lanes);
    const arrivals = this.#arrivals.splice(0, share(this.#arrivals.length, BATCH_JOBS_MAX));
    const offers = this.#offers.splice(0, share(this.#offers.length, BATCH_JOBS_MAX - arrivals.length));
    this.#running += 1;
    this.#batches += 1;
    this.#jobs += arrivals.length + offers.length;
    this.#batchSizes[arrivals.length + offers.length - 1]! += 1;
    for (const { length } of [arrivals, offers]) {
      this.#passes += Math.ceil(length / this.#lanes);
      this.#fullPasses += Math.floor(length / this.#lanes);
    }
    void this.#perform(offers, arrivals).finally(() => {
      this.#running -= 1;
      if (this.#queued > 0) this.#planDispatch();
    });
  }

  async #perform(
    offers: readonly Waiting<OfferJob, Made<OfferMade>>[],
    arrivals: readonly Waiting<ArrivalJob, Made<SessionKeys>>[],
  ): Promise<void> {
    const request = encodeRequest(
      offers.map(({ job }) => job),
      arrivals.map(({ job }) => job),
    );
    const stuck = new AbortController();
    const timer = setTimeout(() => stuck.abort(), this.#options.batchTimeMaxMs ?? BATCH_TIME_MAX_MS);
    try {
      const response = (await this.#piscina.run(moved(request), { signal: stuck.signal })) as BatchResponse;
      const results = decodeResponse(request, response);
      for (const [index, waiting] of offers.entries()) waiting.resolve(results.offers[index]);
      for (const [index, waiting] of arrivals.entries()) waiting.resolve(results.arrivals[index]);
    } catch (cause) {
      const error = this.#closed ? shutdown() : new SallyportError('INTERNAL', 'a crypto worker failed', { cause });
      if (!this.#closed) this.#options.onWorkerFailure?.(cause as Error);
      for (const waiting of [...offers, ...arrivals]) waiting.reject(error);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function allReady(ready: Int32Array<SharedArrayBuffer>, threads: number): Promise<void> {
  const deadline = performance.now() + START_TIME_MAX_MS;
  for (let count = 0; count < threads; count = Atomics.load(ready, 0)) {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) throw new Error(`${count} of ${threads} workers were ready after ${START_TIME_MAX_MS} ms`);
    const change = Atomics.waitAsync(ready, 0, count, leftMs);
    if (change.async) await change.value;
  }
}

function wipeArrival(job: ArrivalJob): void {
  job.exponent.fill(0);
  job.kemSecret.fill(0);
}

function shutdown(): SallyportError {
  return new SallyportError('SHUTDOWN', 'the crypto pool is closed');
}
