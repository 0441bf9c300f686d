/** Searches the highest rate that keeps given thresholds. */

import type { LoadResult } from './load-result.ts';

export interface CapacityPoint {
  /** Operations started per second. */
  readonly rate: number;
  readonly passed: boolean;
  /** The run could not be believed: the generator was the limit at this rate. */
  readonly rejected: boolean;
  readonly reachedRate: number;
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly errorShare: number;
  /** Why it did not pass. */
  readonly words: string;
}

export interface CapacitySearch {
  readonly startRate: number;
  /** Never offered more than this. */
  readonly rateMax: number;
  /** Stop when the answer is known to within this factor, 1.05 = 5 %. */
  readonly precision: number;
  /** Measures one rate. */
  readonly probe: (rate: number) => Promise<CapacityPoint>;
  readonly stopped: () => boolean;
}

export type CapacityEnd = 'found' | 'below-start' | 'above-max' | 'generator-limit' | 'stopped';

export interface CapacityResult {
  readonly end: CapacityEnd;
  /** The highest rate that passed; 0 when none did. */
  readonly rate: number;
  /** Every rate measured, ascending. */
  readonly curve: readonly CapacityPoint[];
}

/** A rate so low that nothing lower says anything. */
const RATE_MIN = 1;
/** Doubling and halving from any start within the bounds of rates, and then bisection to any sensible precision, fit in this. */
const PROBES_MAX = 40;

/**
 * Doubles the rate until it fails (or halves it until it passes), then bisects by the geometric mean. A failing rate is measured a
 * second time before it is believed, since one hiccup of a machine must not end a search; a passing one needs no second.
 */
export async function findCapacity(search: CapacitySearch): Promise<CapacityResult> {
  const curve: CapacityPoint[] = [];
  const result = (end: CapacityEnd, rate: number): CapacityResult => ({
    end,
    rate,
    curve: curve.toSorted((a, b) => a.rate - b.rate),
  });
  const measure = async (rate: number): Promise<CapacityPoint> => {
    const first = await search.probe(rate);
    curve.push(first);
    if (first.passed || search.stopped()) return first;
    const second = await search.probe(rate);
    curve.push(second);
    return second;
  };
  let passing = 0;
  let failing = Number.POSITIVE_INFINITY;
  let failedByGenerator = false;
  let rate = Math.min(search.startRate, search.rateMax);
  while (curve.length < PROBES_MAX) {
    const point = await measure(rate);
    if (search.stopped()) return result('stopped', passing);
    if (point.passed) passing = rate;
    else {
      failing = rate;
      failedByGenerator = point.rejected;
    }
    if (passing === 0 && failing <= RATE_MIN) return result(failedByGenerator ? 'generator-limit' : 'below-start', 0);
    if (passing >= search.rateMax) return result('above-max', passing);
    if (failing / passing <= search.precision) break;
    if (failing === Number.POSITIVE_INFINITY) rate = Math.min(search.rateMax, passing * 2);
    else if (passing === 0) rate = Math.max(RATE_MIN, failing / 2);
    else rate = Math.sqrt(passing * failing);
  }
  return result(failedByGenerator ? 'generator-limit' : 'found', passing);
}

/** What a run at this rate says: passed when all its thresholds were kept, of which there must be one, and it can be believed. */
export function capacityPointOf(rate: number, result: LoadResult): CapacityPoint {
  const failed = result.thresholds.filter((threshold) => !threshold.passed);
  const total = result.completed + result.failed;
  // Then the rate failed without showing whose limit it was.
  const rejected = result.rejections.length > 0;
  const words = [
    ...failed.map((each) => `${each.text}: ${each.words}`),
    ...result.rejections.map((each) => each.words),
  ];
  return {
    rate,
    passed: result.thresholds.length > 0 && failed.length === 0 && !rejected,
    rejected,
    reachedRate: result.rate.reached,
    p50Ns: result.phases.whole?.percentiles.p50 ?? 0,
    p99Ns: result.phases.whole?.percentiles.p99 ?? 0,
    errorShare: total === 0 ? 0 : result.failed / total,
    words: words.join('; '),
  };
}
