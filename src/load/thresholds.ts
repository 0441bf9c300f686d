/**
 * What a run must keep to pass: `p99<50ms`, `errors<0.1%`, `rate>=500`, `offer.p95<10ms`.
 *
 * ```
 * threshold = [phase "."] metric operator value
 * phase     = connect | offer | connect2 | exchange | identity | commit | whole | lag          (whole when absent)
 * metric    = pNN[.N...] | mean | min | max      a latency: value with ns, us, ms or s
 *           | errors                             a share with %, or a count without
 *           | rate | payments                    a number per second that ended well
 * operator  = < | <= | > | >=
 * ```
 */

import { SallyportError } from '../errors.ts';
import type { Histogram } from './histogram.ts';
import { isPhase, PHASE_NAMES, type Phase } from './phases.ts';

const OPERATORS = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
} as const;

type Operator = keyof typeof OPERATORS;

const NS_OF: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9 };

type Metric =
  | { readonly kind: 'latency'; readonly phase: Phase; readonly statistic: 'mean' | 'min' | 'max' | number }
  | { readonly kind: 'error-share' }
  | { readonly kind: 'error-count' }
  | { readonly kind: 'rate' }
  | { readonly kind: 'payments' };

export interface Threshold {
  /** As it was written. */
  readonly text: string;
  readonly metric: Metric;
  readonly operator: Operator;
  /** Nanoseconds, a share from 0 to 1, a count, or a number per second. */
  readonly bound: number;
}

export interface ThresholdResult {
  readonly text: string;
  readonly passed: boolean;
  /** In the unit of the bound; null when nothing was measured, which never passes. */
  readonly observed: number | null;
  /** For a person: "p99 was 61.2 ms". */
  readonly words: string;
}

/** What thresholds are about. */
export interface Measured {
  readonly seconds: number;
  readonly completed: number;
  readonly failed: number;
  readonly payments: number;
  readonly histograms: ReadonlyMap<Phase, Histogram>;
}

export function parseThreshold(text: string): Threshold {
  const match = /^\s*(?:([a-z0-9]+)\.)?([a-z]+\d*(?:\.\d+)?)\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?)\s*([a-zµ%]*)\s*$/.exec(
    text,
  );
  if (match === null) throw mistake(text, 'write for example p99<50ms, errors<0.1%, rate>=500 or offer.p95<10ms');
  const [, phase, metric, operator, number, unit] = match as unknown as [
    string,
    string?,
    string?,
    Operator?,
    string?,
    string?,
  ];
  const value = Number(number);
  const base = { text: text.trim(), operator: operator! };
  if (metric === 'errors' || metric === 'rate' || metric === 'payments') {
    if (phase !== undefined) throw mistake(text, `${metric} is of the whole run and takes no phase`);
    if (metric !== 'errors') {
      if (unit !== '' && unit !== 's') throw mistake(text, `${metric} is a number per second, without a unit`);
      return { ...base, metric: { kind: metric }, bound: value };
    }
    if (unit === '%') return { ...base, metric: { kind: 'error-share' }, bound: value / 100 };
    if (unit !== '') throw mistake(text, 'errors is a share such as 0.1% or a count such as 10');
    return { ...base, metric: { kind: 'error-count' }, bound: value };
  }
  if (phase !== undefined && !isPhase(phase)) throw mistake(text, `the phases are ${PHASE_NAMES.join(', ')}`);
  const statistic = statisticOf(metric!);
  if (statistic === undefined) throw mistake(text, 'the metrics are pNN, mean, min, max, errors, rate and payments');
  const factor = NS_OF[unit!];
  if (factor === undefined) throw mistake(text, 'a latency needs its unit: ns, us, ms or s');
  return { ...base, metric: { kind: 'latency', phase: phase ?? 'whole', statistic }, bound: value * factor };
}

export function evaluateThreshold(threshold: Threshold, measured: Measured): ThresholdResult {
  const observed = observe(threshold.metric, measured);
  const passed = observed !== undefined && OPERATORS[threshold.operator](observed, threshold.bound);
  return {
    text: threshold.text,
    passed,
    observed: observed ?? null,
    words: observed === undefined ? 'nothing was measured' : `it was ${shown(threshold.metric, observed)}`,
  };
}

function observe(metric: Metric, measured: Measured): number | undefined {
  const total = measured.completed + measured.failed;
  switch (metric.kind) {
    case 'error-count':
      return measured.failed;
    case 'error-share':
      return total === 0 ? undefined : measured.failed / total;
    case 'rate':
      return measured.seconds === 0 ? undefined : measured.completed / measured.seconds;
    case 'payments':
      return measured.seconds === 0 ? undefined : measured.payments / measured.seconds;
    case 'latency': {
      const histogram = measured.histograms.get(metric.phase);
      if (histogram === undefined || histogram.totalCount === 0) return undefined;
      if (metric.statistic === 'mean') return histogram.mean;
      if (metric.statistic === 'max') return histogram.maxValue;
      return histogram.getValueAtPercentile(metric.statistic === 'min' ? 0 : metric.statistic);
    }
  }
}

function shown(metric: Metric, value: number): string {
  switch (metric.kind) {
    case 'latency':
      return `${significant(value / 1e6)} ms`;
    case 'error-share':
      return `${significant(value * 100)} %`;
    case 'error-count':
      return `${value}`;
    case 'rate':
    case 'payments':
      return `${significant(value)} a second`;
  }
}

function significant(value: number): string {
  return value >= 1_000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
}

function statisticOf(metric: string): 'mean' | 'min' | 'max' | number | undefined {
  if (metric === 'mean' || metric === 'min' || metric === 'max') return metric;
  const percentile = /^p(\d{1,2}(?:\.\d{1,4})?|100)$/.exec(metric)?.[1];
  return percentile === undefined ? undefined : Number(percentile);
}

function mistake(text: string, right: string): SallyportError {
  return new SallyportError('BAD_ARGUMENT', `"${text}" is not a threshold: ${right}`);
}
