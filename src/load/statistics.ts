/** The statistics of comparisons: rank test, bootstrap, effect size. Nothing here assumes a distribution. */

import type { Random } from './random.ts';

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear interpolation between order statistics (Hyndman and Fan 1996, type 7). NaN for no values. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * q;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

export interface RankTest {
  /** Pairs in which the second sample is larger, ties counting one half. */
  readonly u: number;
  /** Two-sided probability of a difference this large when both samples come from one distribution. */
  readonly p: number;
  /** Probability that a value of the second sample exceeds one of the first (Vargha and Delaney's A): 0.5 is no effect. */
  readonly superiority: number;
}

/** Beyond this many pairs, or with ties, the normal approximation is exact enough (Mann and Whitney 1947 use it from 8 and 8). */
const EXACT_PAIRS_MAX = 400;

/** Mann-Whitney U test (1947), two-sided. */
export function mannWhitney(first: readonly number[], second: readonly number[]): RankTest {
  const n = first.length;
  const m = second.length;
  if (n === 0 || m === 0) return { u: 0, p: 1, superiority: 0.5 };
  const { rankSum, tieTerm } = rankSumOfSecond(first, second);
  const u = rankSum - (m * (m + 1)) / 2;
  const exact = tieTerm === 0 && n * m <= EXACT_PAIRS_MAX;
  return { u, p: exact ? exactP(u, n, m) : normalP(u, n, m, tieTerm), superiority: u / (n * m) };
}

function rankSumOfSecond(first: readonly number[], second: readonly number[]): { rankSum: number; tieTerm: number } {
  const all = [
    ...first.map((value) => ({ value, second: false })),
    ...second.map((value) => ({ value, second: true })),
  ];
  all.sort((a, b) => a.value - b.value);
  let rankSum = 0;
  let tieTerm = 0;
  for (let start = 0; start < all.length; ) {
    let end = start;
    while (end < all.length && all[end]!.value === all[start]!.value) end += 1;
    const ties = end - start;
    const rank = (start + 1 + end) / 2;
    for (let index = start; index < end; index += 1) if (all[index]!.second) rankSum += rank;
    tieTerm += ties ** 3 - ties;
    start = end;
  }
  return { rankSum, tieTerm };
}

function normalP(u: number, n: number, m: number, tieTerm: number): number {
  const total = n + m;
  const variance = ((n * m) / 12) * (total + 1 - tieTerm / (total * (total - 1)));
  if (!(variance > 0)) return 1;
  // Continuity correction of one half towards the mean.
  const distance = Math.max(0, Math.abs(u - (n * m) / 2) - 0.5);
  return Math.min(1, 2 * normalTail(distance / Math.sqrt(variance)));
}

/** By counting the arrangements that give each U: f(n, m, u) = f(n - 1, m, u - m) + f(n, m - 1, u). */
function exactP(u: number, n: number, m: number): number {
  let rows: number[][] = Array.from({ length: m + 1 }, () => [1]);
  for (let i = 1; i <= n; i += 1) {
    const next: number[][] = [[1]];
    for (let j = 1; j <= m; j += 1) {
      const counts = new Array<number>(i * j + 1).fill(0);
      rows[j]!.forEach((count, at) => {
        counts[at + j]! += count;
      });
      next[j - 1]!.forEach((count, at) => {
        counts[at]! += count;
      });
      next.push(counts);
    }
    rows = next;
  }
  const counts = rows[m]!;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const extreme = Math.min(u, n * m - u);
  const tail = counts.slice(0, Math.floor(extreme) + 1).reduce((sum, count) => sum + count, 0);
  return Math.min(1, (2 * tail) / total);
}

/** P(X > z) of the standard normal; Abramowitz and Stegun 7.1.26 through erfc, absolute error below 1.5e-7. */
function normalTail(z: number): number {
  const x = z / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return 0.5 * poly * Math.exp(-x * x);
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface Bootstrap {
  readonly random: Random;
  /** Two-sided confidence, 0.95 for 95 %. */
  readonly confidence: number;
  /** Consecutive values of a time series depend on each other: blocks of them are drawn together (circular block bootstrap). */
  readonly inSeries: boolean;
}

/** Enough for the second digit of an interval's end (Efron and Tibshirani 1993, chapter 13). */
const RESAMPLES = 2_000;

/** Percentile bootstrap interval of `statistic` over resamples of each sample. */
export function bootstrapInterval(
  samples: readonly (readonly number[])[],
  statistic: (samples: readonly (readonly number[])[]) => number,
  options: Bootstrap,
): Interval {
  const values = Array.from({ length: RESAMPLES }, () =>
    statistic(
      samples.map((sample) => resample(sample, options.random, options.inSeries ? blockLength(sample.length) : 1)),
    ),
  ).filter((value) => Number.isFinite(value));
  const tail = (1 - options.confidence) / 2;
  return { low: quantile(values, tail), high: quantile(values, 1 - tail) };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Second over first, by `statistic`. */
export function ratioBy(statistic: (sample: readonly number[]) => number) {
  return (samples: readonly (readonly number[])[]): number => statistic(samples[1]!) / statistic(samples[0]!);
}

// Kuensch 1989: the length that balances bias and variance grows with the cube root of the series.
function blockLength(length: number): number {
  return Math.max(1, Math.round(length ** (1 / 3)));
}

function resample(sample: readonly number[], random: Random, block: number): number[] {
  const drawn: number[] = [];
  while (drawn.length < sample.length) {
    const start = Math.floor(random() * sample.length);
    for (let offset = 0; offset < block && drawn.length < sample.length; offset += 1) {
      drawn.push(sample[(start + offset) % sample.length]!);
    }
  }
  return drawn;
}

/** Holm's step-down correction (1979): the p values of several tests, each made large enough that all may be read together. */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const corrected = new Array<number>(ps.length);
  let least = 0;
  order.forEach(({ p, index }, position) => {
    least = Math.max(least, Math.min(1, p * (ps.length - position)));
    corrected[index] = least;
  });
  return corrected;
}
