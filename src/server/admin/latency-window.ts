import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { PHASES, type Phase } from '../session-report.ts';

/** Latencies of one phase, in milliseconds; percentiles of the stated window. */
export interface PhaseLatency {
  readonly phase: Phase;
  readonly count: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
}

/** Two significant digits are what a page shows; longer than ten minutes counts as ten minutes. A histogram of this shape takes 25 kB. */
const SHAPE = { lowest: 1, highest: 600_000_000, figures: 2 } as const;
/** Seconds that the table of latencies covers: enough values for a p99 on a quiet server, recent enough to follow a change. */
export const WINDOW_SECONDS = 10;

/** What the phases took in the last second and in the last WINDOW_SECONDS. Recording is one addition in a native histogram. */
export class LatencyWindow {
  readonly #seconds = new Map<Phase, RecordableHistogram[]>(
    PHASES.map((phase) => [phase, Array.from({ length: WINDOW_SECONDS }, () => createHistogram(SHAPE))]),
  );
  #second = 0;

  record(phase: Phase, durationMs: number): void {
    const microseconds = Math.max(SHAPE.lowest, Math.min(SHAPE.highest, Math.round(durationMs * 1_000)));
    this.#seconds.get(phase)![this.#second]!.record(microseconds);
  }

  /** Ends the current second: its own percentiles, and those of the window that ends with it. */
  endSecond(): { readonly second: readonly PhaseLatency[]; readonly window: readonly PhaseLatency[] } {
    const second = PHASES.map((phase) => latencyOf(phase, this.#seconds.get(phase)![this.#second]!));
    const window = PHASES.map((phase) => {
      const sum = createHistogram(SHAPE);
      for (const each of this.#seconds.get(phase)!) if (each.count > 0) sum.add(each);
      return latencyOf(phase, sum);
    });
    this.#second = (this.#second + 1) % WINDOW_SECONDS;
    for (const seconds of this.#seconds.values()) seconds[this.#second]!.reset();
    return { second, window };
  }
}

function latencyOf(phase: Phase, histogram: RecordableHistogram): PhaseLatency {
  if (histogram.count === 0) return { phase, count: 0, p50Ms: null, p99Ms: null, maxMs: null };
  const at = (percentile: number): number => histogram.percentile(percentile) / 1_000;
  return { phase, count: histogram.count, p50Ms: at(50), p99Ms: at(99), maxMs: histogram.max / 1_000 };
}
