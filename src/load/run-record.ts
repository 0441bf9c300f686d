/** What a run was, while it runs and afterwards: counts, a histogram of every phase, and the same by interval of time. */

import { createHistogram, encodeHistogram, type Histogram, recordNs } from './histogram.ts';
import { PHASE_NAMES, type Phase } from './phases.ts';
import { type EndedOperation, type RowBatch, readRows } from './rows.ts';

export interface IntervalRecord {
  /** Since the measured time began; negative in the warm-up. */
  readonly atSeconds: number;
  readonly seconds: number;
  /** Operations that were due in it. */
  readonly due: number;
  /** Operations that ended well in it, and that ended with an error. */
  readonly completed: number;
  readonly failed: number;
  readonly payments: number;
  readonly errors: Readonly<Record<string, number>>;
  /** Only phases that occurred. */
  readonly phases: Partial<Record<Phase, IntervalLatency>>;
}

export interface IntervalLatency {
  readonly count: number;
  readonly p50Ns: number;
  readonly p90Ns: number;
  readonly p99Ns: number;
  readonly maxNs: number;
  /** The whole histogram of the interval, when the record keeps them (for HDR logs). */
  readonly histogram?: string;
}

export interface RecordSettings {
  /** On the run's clock. */
  readonly beginNs: number;
  readonly warmupNs: number;
  readonly intervalNs: number;
  readonly keepIntervalHistograms: boolean;
}

interface OpenInterval {
  readonly histograms: Map<Phase, Histogram>;
  readonly errors: Map<string, number>;
  due: number;
  completed: number;
  failed: number;
  payments: number;
}

/** Interval lengths that a person reads easily, in seconds. */
const NICE_SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1_800] as const;
/** Enough intervals for a curve and for a comparison's statistics, few enough to keep results small. */
const INTERVALS_WANTED = 60;

/** The length of an interval that suits a run of so many seconds. */
export function intervalSecondsFor(seconds: number): number {
  return NICE_SECONDS.find((nice) => nice * INTERVALS_WANTED >= seconds) ?? NICE_SECONDS.at(-1)!;
}

export class RunRecord {
  readonly histograms: ReadonlyMap<Phase, Histogram> = new Map(PHASE_NAMES.map((phase) => [phase, createHistogram()]));
  readonly #settings: RecordSettings;
  readonly #measuredFromNs: number;
  readonly #open = new Map<number, OpenInterval>();
  readonly #closed = new Map<number, IntervalRecord>();
  readonly #errors = new Map<string, number>();
  #completed = 0;
  #failed = 0;
  #payments = 0;
  #allPayments = 0;
  #lastEndNs = 0;

  constructor(settings: RecordSettings) {
    this.#settings = settings;
    this.#measuredFromNs = settings.beginNs + settings.warmupNs;
  }

  /** Operations of the measured time (not the warm-up) that ended well. */
  get completed(): number {
    return this.#completed;
  }

  get failed(): number {
    return this.#failed;
  }

  /** Acknowledged payments of the measured time. */
  get payments(): number {
    return this.#payments;
  }

  /** Acknowledged payments with those of the warm-up: as many as the ledger must hold. */
  get allPayments(): number {
    return this.#allPayments;
  }

  get errors(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#errors].sort(([, a], [, b]) => b - a));
  }

  /** Seconds from the end of the warm-up to the last end of an operation. */
  get secondsToLastEnd(): number {
    return Math.max(0, (this.#lastEndNs - this.#measuredFromNs) / 1e9);
  }

  add(batch: RowBatch): void {
    for (const row of readRows(batch)) this.#addOperation(row);
  }

  /** An arrival that was due and could not be started, for a reason of the generator's own. */
  addUnstarted(dueNs: number, code: string): void {
    const interval = this.#intervalAt(dueNs);
    interval.due += 1;
    interval.failed += 1;
    increment(interval.errors, code);
    if (dueNs < this.#measuredFromNs) return;
    this.#failed += 1;
    increment(this.#errors, code);
  }

  /** Closes intervals that ended before `beforeNs`: their histograms shrink to a few numbers. */
  closeIntervals(beforeNs: number): void {
    for (const [index, interval] of this.#open) {
      if (this.#startOf(index) + this.#settings.intervalNs > beforeNs) continue;
      this.#closed.set(index, this.#close(index, interval));
      this.#open.delete(index);
    }
  }

  /** All intervals so far, gaps filled with empty ones. */
  intervals(): IntervalRecord[] {
    const indices = [...this.#closed.keys(), ...this.#open.keys()];
    if (indices.length === 0) return [];
    const records: IntervalRecord[] = [];
    for (let index = Math.min(...indices); index <= Math.max(...indices); index += 1) {
      const open = this.#open.get(index);
      const closed = this.#closed.get(index);
      records.push(open === undefined && closed !== undefined ? closed : this.#close(index, open ?? emptyInterval()));
    }
    return records;
  }

  #addOperation(row: EndedOperation): void {
    const measured = row.intendedNs >= this.#measuredFromNs;
    const due = this.#intervalAt(row.intendedNs);
    due.due += 1;
    const interval = this.#intervalAt(row.endNs);
    this.#lastEndNs = Math.max(this.#lastEndNs, row.endNs);
    interval.payments += row.payments;
    this.#allPayments += row.payments;
    if (measured) this.#payments += row.payments;
    const record = (phase: Phase, ns: number): void => {
      recordNs(histogramOf(interval, phase), ns);
      if (measured) recordNs(this.histograms.get(phase)!, ns);
    };
    row.forEachPhase(record);
    record('lag', row.startNs - row.intendedNs);
    if (row.error === undefined) {
      interval.completed += 1;
      if (measured) this.#completed += 1;
      // Only what was answered has a latency; failures are counted, not averaged in.
      record('whole', row.endNs - row.intendedNs);
    } else {
      interval.failed += 1;
      increment(interval.errors, row.error);
      if (measured) {
        this.#failed += 1;
        increment(this.#errors, row.error);
      }
    }
  }

  #intervalAt(ns: number): OpenInterval {
    const index = Math.floor((ns - this.#measuredFromNs) / this.#settings.intervalNs);
    const known = this.#open.get(index);
    if (known !== undefined) return known;
    // An interval that was closed already gets a second part; both are added up when read. Only a late thread can cause it.
    const fresh = emptyInterval();
    this.#open.set(index, fresh);
    return fresh;
  }

  #startOf(index: number): number {
    return this.#measuredFromNs + index * this.#settings.intervalNs;
  }

  #close(index: number, interval: OpenInterval): IntervalRecord {
    const earlier = this.#closed.get(index);
    const phases: Partial<Record<Phase, IntervalLatency>> = { ...earlier?.phases };
    for (const [phase, histogram] of interval.histograms) {
      phases[phase] = {
        count: histogram.totalCount + (earlier?.phases[phase]?.count ?? 0),
        p50Ns: histogram.getValueAtPercentile(50),
        p90Ns: histogram.getValueAtPercentile(90),
        p99Ns: histogram.getValueAtPercentile(99),
        maxNs: Math.max(histogram.maxValue, earlier?.phases[phase]?.maxNs ?? 0),
        ...(this.#settings.keepIntervalHistograms ? { histogram: encodeHistogram(histogram) } : {}),
      };
    }
    const errors = new Map(Object.entries(earlier?.errors ?? {}));
    for (const [code, count] of interval.errors) increment(errors, code, count);
    const { intervalNs } = this.#settings;
    return {
      atSeconds: (index * intervalNs) / 1e9,
      seconds: intervalNs / 1e9,
      due: interval.due + (earlier?.due ?? 0),
      completed: interval.completed + (earlier?.completed ?? 0),
      failed: interval.failed + (earlier?.failed ?? 0),
      payments: interval.payments + (earlier?.payments ?? 0),
      errors: Object.fromEntries(errors),
      phases,
    };
  }
}

function emptyInterval(): OpenInterval {
  return { histograms: new Map(), errors: new Map(), due: 0, completed: 0, failed: 0, payments: 0 };
}

function histogramOf(interval: OpenInterval, phase: Phase): Histogram {
  const known = interval.histograms.get(phase);
  if (known !== undefined) return known;
  const fresh = createHistogram();
  interval.histograms.set(phase, fresh);
  return fresh;
}

function increment(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
