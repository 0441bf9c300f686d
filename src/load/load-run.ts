/** One load run from its plan to its stored result. */

import { cpus, totalmem } from 'node:os';
import type { ArrivalProcess } from './arrivals.ts';
import { type GeneratorOutcome, type GeneratorStatus, NOT_STARTED, runGenerator } from './generator.ts';
import { encodeHistogram, summarize } from './histogram.ts';
import { LOAD_RESULT_SCHEMA, LOAD_RESULT_VERSION, type LoadResult } from './load-result.ts';
import { LoadShape, type Stage } from './load-shape.ts';
import { PHASE_NAMES } from './phases.ts';
import { intervalSecondsFor, type RunRecord } from './run-record.ts';
import type { StopSwitch } from './scheduler.ts';
import { evaluateThreshold, type Measured, type Threshold } from './thresholds.ts';
import { LOCAL_ERROR_CODES, rejectionsOf } from './validity.ts';

export interface LoadPlan {
  readonly product: string;
  /** host:port, for the report. */
  readonly target: string;
  /** As it was written. */
  readonly workload: string;
  readonly load:
    | { readonly mode: 'open'; readonly stages: readonly Stage[]; readonly arrivals: ArrivalProcess }
    | { readonly mode: 'closed'; readonly customersAtOnce: number; readonly seconds: number };
  readonly count: number | undefined;
  readonly warmupSeconds: number;
  readonly seed: number;
  readonly inFlightMax: number;
  /** How many different customers take part. */
  readonly customers: number;
  readonly sources: readonly string[];
  readonly thresholds: readonly Threshold[];
  readonly driverUrl: string;
  /** One for each generator thread. */
  readonly driverSettings: readonly unknown[];
  readonly keepIntervalHistograms: boolean;
}

export interface LoadRun {
  readonly result: LoadResult;
  /** The ids of all transactions that were acknowledged, warm-up included: 16 bytes each, one array a thread. */
  readonly acknowledged: readonly Uint8Array[];
}

/** Runs the plan. `stop` ends it early, with the result of what was done. Rejects when the generator itself fails. */
export async function runLoad(
  plan: LoadPlan,
  onStatus: (status: GeneratorStatus) => void,
  stop: StopSwitch,
): Promise<LoadRun> {
  const { load } = plan;
  const secondsPlanned = load.mode === 'open' ? new LoadShape(load.stages).seconds : load.seconds;
  const outcome = await runGenerator(
    {
      driverUrl: plan.driverUrl,
      driverSettings: plan.driverSettings,
      load:
        load.mode === 'open'
          ? {
              mode: 'open',
              stages: load.stages,
              process: load.arrivals,
              seed: plan.seed,
              inFlightMax: plan.inFlightMax,
            }
          : { mode: 'closed', customers: load.customersAtOnce, seconds: load.seconds },
      count: plan.count,
      warmupSeconds: plan.warmupSeconds,
      intervalSeconds: intervalSecondsFor(secondsPlanned),
      keepIntervalHistograms: plan.keepIntervalHistograms,
    },
    onStatus,
    stop,
  );
  return { result: resultOf(plan, outcome, secondsPlanned), acknowledged: outcome.acknowledged };
}

function resultOf(plan: LoadPlan, outcome: GeneratorOutcome, secondsPlanned: number): LoadResult {
  const { record } = outcome;
  const seconds = measuredSeconds(plan, outcome, secondsPlanned);
  const unstarted = record.errors[NOT_STARTED] ?? 0;
  const ended = record.completed + record.failed;
  const measured: Measured = { seconds, ...pick(record), histograms: record.histograms };
  const mode = plan.load.mode;
  return {
    schema: LOAD_RESULT_SCHEMA,
    version: LOAD_RESULT_VERSION,
    product: plan.product,
    startedAt: outcome.startedAt.toISOString(),
    environment: {
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memoryBytes: totalmem(),
    },
    settings: {
      target: plan.target,
      workload: plan.workload,
      mode,
      arrivals: plan.load.mode === 'open' ? plan.load.arrivals : null,
      stages: plan.load.mode === 'open' ? plan.load.stages.map((stage) => ({ ...stage })) : [],
      customersAtOnce: plan.load.mode === 'closed' ? plan.load.customersAtOnce : null,
      customers: plan.customers,
      warmupSeconds: plan.warmupSeconds,
      operationsMax: plan.count ?? null,
      seed: plan.seed,
      threads: plan.driverSettings.length,
      inFlightMax: plan.inFlightMax,
      sources: [...plan.sources],
    },
    seconds,
    interrupted: outcome.interrupted,
    due: ended,
    started: ended - unstarted,
    ...pick(record),
    errors: { ...record.errors },
    rate: {
      // An open loop offers for as long as its schedule lasts; waiting for the last answers offers nothing more.
      offered:
        ended /
        Math.max(1e-9, mode === 'open' ? Math.min(seconds, scheduleSeconds(plan, outcome, secondsPlanned)) : seconds),
      reached: record.completed / Math.max(1e-9, seconds),
      payments: record.payments / Math.max(1e-9, seconds),
    },
    phases: latenciesOf(record),
    intervals: record.intervals().map((interval) => ({ ...interval, errors: { ...interval.errors } })),
    generator: {
      threads: outcome.threads.map((thread) => ({
        ...thread,
        eventLoopUtilization: Math.min(1, Math.max(0, thread.eventLoopUtilization)),
      })),
      cpuSecondsPerOperation: ended === unstarted ? null : outcome.cpuSeconds / (ended - unstarted),
    },
    rejections: rejectionsOf({
      threads: outcome.threads,
      lagP99Ns: record.histograms.get('lag')!.getValueAtPercentile(99),
      wholeP99Ns: record.histograms.get('whole')!.getValueAtPercentile(99),
      due: ended,
      started: ended - unstarted,
      localErrors: Object.fromEntries(Object.entries(record.errors).filter(([code]) => LOCAL_ERROR_CODES.has(code))),
      mode,
    }),
    thresholds: plan.thresholds.map((threshold) => evaluateThreshold(threshold, measured)),
    verification: null,
    capacity: null,
  };
}

function latenciesOf(record: RunRecord): LoadResult['phases'] {
  const phases: LoadResult['phases'] = {};
  for (const phase of PHASE_NAMES) {
    const histogram = record.histograms.get(phase)!;
    if (histogram.totalCount === 0) continue;
    const { percentiles, ...summary } = summarize(histogram);
    phases[phase] = { ...summary, percentiles: { ...percentiles }, histogram: encodeHistogram(histogram) };
  }
  return phases;
}

function pick(record: RunRecord) {
  return { completed: record.completed, failed: record.failed, payments: record.payments };
}

/** The schedule's length without the warm-up, or up to the interruption. */
function scheduleSeconds(plan: LoadPlan, outcome: GeneratorOutcome, secondsPlanned: number): number {
  return Math.max(1e-3, Math.min(secondsPlanned, outcome.secondsTaken) - plan.warmupSeconds);
}

/** Until the schedule's end, or the last end of an operation when that came later or the count was reached sooner. */
function measuredSeconds(plan: LoadPlan, outcome: GeneratorOutcome, secondsPlanned: number): number {
  const toLastEnd = outcome.record.secondsToLastEnd;
  if (plan.count !== undefined || outcome.interrupted) return Math.max(1e-3, toLastEnd);
  return Math.max(scheduleSeconds(plan, outcome, secondsPlanned), toLastEnd);
}
