/** Runs a load in generator threads and collects what they tell. */

import { Worker } from 'node:worker_threads';
import type { ArrivalProcess } from './arrivals.ts';
import { monotonicNs, systemClock } from './clock.ts';
import { LoadShape, type Stage } from './load-shape.ts';
import { RunRecord } from './run-record.ts';
import type { StopSwitch } from './scheduler.ts';
import type { FromThread, ThreadStart, ToThread } from './thread-messages.ts';
import type { ThreadHealth } from './validity.ts';

/** The code of an arrival that was given up because too many operations were under way. */
export const NOT_STARTED = 'NOT_STARTED';

export interface GeneratorSettings {
  readonly driverUrl: string;
  /** One for each thread; copied to it. */
  readonly driverSettings: readonly unknown[];
  readonly load:
    | {
        readonly mode: 'open';
        readonly stages: readonly Stage[];
        readonly process: ArrivalProcess;
        readonly seed: number;
        readonly inFlightMax: number;
      }
    | { readonly mode: 'closed'; readonly customers: number; readonly seconds: number };
  /** At most so many operations. */
  readonly count: number | undefined;
  readonly warmupSeconds: number;
  readonly intervalSeconds: number;
  readonly keepIntervalHistograms: boolean;
}

/** What a display shows while the run lasts. */
export interface GeneratorStatus {
  /** Since the beginning, the warm-up included. */
  readonly seconds: number;
  readonly secondsPlanned: number;
  readonly started: number;
  readonly inFlight: number;
  readonly held: number;
  /** Of the open loop's schedule now, per second. */
  readonly rateAsked: number | undefined;
  readonly record: RunRecord;
}

export interface GeneratorOutcome {
  readonly record: RunRecord;
  readonly threads: readonly ThreadHealth[];
  /** CPU time of all generator threads over the measured time. */
  readonly cpuSeconds: number;
  /** When the schedule's time 0 was. */
  readonly startedAt: Date;
  /** Seconds from the beginning until the last thread was done with its operations. */
  readonly secondsTaken: number;
  readonly interrupted: boolean;
  /** The ids of all transactions that were acknowledged, 16 bytes each, by thread. */
  readonly acknowledged: readonly Uint8Array[];
}

/** Time for threads to get the word before the first operation is due. */
const BEGIN_DELAY_NS = 50_000_000;
const STATUS_INTERVAL_MS = 200;
/** Intervals are closed this much later than they end: threads report within it. */
const INTERVAL_GRACE_NS = 2_000_000_000;

/**
 * Starts the threads, waits until every one is ready, runs, and resolves when the last operation has ended. `stop` ends it early. Rejects
 * when a thread fails, after all others were ended.
 */
export async function runGenerator(
  settings: GeneratorSettings,
  onStatus: (status: GeneratorStatus) => void,
  stop: StopSwitch,
): Promise<GeneratorOutcome> {
  const epochNs = monotonicNs();
  const clock = systemClock(epochNs);
  const threads = startThreads(settings, epochNs);
  try {
    await Promise.all(threads.map((thread) => thread.ready));
    const beginNs = clock.nowNs() + BEGIN_DELAY_NS;
    const startedAt = new Date(Date.now() + BEGIN_DELAY_NS / 1e6);
    const shape = settings.load.mode === 'open' ? new LoadShape(settings.load.stages) : undefined;
    const secondsPlanned = shape?.seconds ?? (settings.load.mode === 'closed' ? settings.load.seconds : 0);
    const record = new RunRecord({
      beginNs,
      warmupNs: settings.warmupSeconds * 1e9,
      intervalNs: settings.intervalSeconds * 1e9,
      keepIntervalHistograms: settings.keepIntervalHistograms,
    });
    for (const thread of threads) {
      thread.attach(record);
      thread.tell({
        kind: 'begin',
        beginNs,
        measureFromNs: beginNs + settings.warmupSeconds * 1e9,
        measureToNs: beginNs + secondsPlanned * 1e9,
      });
      stop.onStop(() => thread.tell({ kind: 'stop' }));
    }
    const timer = setInterval(() => {
      record.closeIntervals(clock.nowNs() - INTERVAL_GRACE_NS);
      const seconds = (clock.nowNs() - beginNs) / 1e9;
      onStatus({
        seconds,
        secondsPlanned,
        started: sum(threads, (thread) => thread.started),
        inFlight: sum(threads, (thread) => thread.inFlight),
        held: sum(threads, (thread) => thread.held),
        rateAsked: shape?.rateAt(Math.max(0, seconds)),
        record,
      });
    }, STATUS_INTERVAL_MS);
    try {
      const ends = await Promise.all(threads.map((thread) => thread.done));
      return {
        record,
        threads: ends.map((end) => end.health),
        cpuSeconds: sum(ends, (end) => end.cpuSeconds),
        startedAt,
        secondsTaken: (clock.nowNs() - beginNs) / 1e9,
        interrupted: stop.stopped,
        acknowledged: ends.map((end) => end.acknowledged),
      };
    } finally {
      clearInterval(timer);
    }
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

type ThreadEnd = Extract<FromThread, { readonly kind: 'done' }>;

/** A generator thread as the main thread sees it. */
class GeneratorThread {
  readonly ready: Promise<void>;
  readonly done: Promise<ThreadEnd>;
  started = 0;
  inFlight = 0;
  held = 0;
  readonly #worker: Worker;
  #record: RunRecord | undefined;

  constructor(start: ThreadStart) {
    this.#worker = new Worker(threadUrl(), { workerData: start });
    const ready = Promise.withResolvers<void>();
    const done = Promise.withResolvers<ThreadEnd>();
    this.ready = ready.promise;
    this.done = done.promise;
    // A failure is met by whichever is awaited; the other must not count as unhandled.
    this.ready.catch(() => undefined);
    this.done.catch(() => undefined);
    const fail = (error: Error): void => {
      ready.reject(error);
      done.reject(error);
    };
    this.#worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on('exit', () => fail(new Error('a generator thread ended before its work was done')));
    this.#worker.on('message', (message: FromThread) => {
      if (message.kind === 'ready') ready.resolve();
      else if (message.kind === 'done') done.resolve(message);
      else this.#hear(message);
    });
  }

  attach(record: RunRecord): void {
    this.#record = record;
  }

  tell(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #hear(message: Exclude<FromThread, { readonly kind: 'ready' | 'done' }>): void {
    switch (message.kind) {
      case 'rows':
        this.#record?.add(message.batch);
        break;
      case 'unstarted':
        for (const dueNs of message.dueNs) this.#record?.addUnstarted(dueNs, NOT_STARTED);
        break;
      case 'status':
        this.started = message.started;
        this.inFlight = message.inFlight;
        this.held = message.held;
        break;
    }
  }
}

function startThreads(settings: GeneratorSettings, epochNs: bigint): GeneratorThread[] {
  const of = settings.driverSettings.length;
  const counter = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  return settings.driverSettings.map((driverSettings, part) => {
    const { load, count } = settings;
    return new GeneratorThread({
      driverUrl: settings.driverUrl,
      driverSettings,
      epochNs,
      share: { part, of },
      load:
        load.mode === 'open'
          ? { ...load, count, inFlightMax: Math.ceil(load.inFlightMax / of) }
          : {
              ...load,
              count,
              counter,
              customers: Math.floor(load.customers / of) + (part < load.customers % of ? 1 : 0),
            },
    });
  });
}

/** Beside this file, as source and as compiled. */
function threadUrl(): URL {
  return new URL(`./generator-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
