/** The stored result of a load run: schema, version, and what is compared of it. docs/LOAD.md describes every field. */

import { z } from 'zod';
import { SallyportError } from '../errors.ts';
import type { Measure } from './measure.ts';
import { PHASE_NAMES, titleOf } from './phases.ts';

export const LOAD_RESULT_SCHEMA = 'sallyport/load-result';
/** Raised when a field is removed or changes its meaning; new optional fields do not raise it. */
export const LOAD_RESULT_VERSION = 1;

const count = z.number().int().nonnegative();
const seconds = z.number().nonnegative();
const ns = z.number().nonnegative();
const share = z.number().min(0).max(1);
const phase = z.enum(PHASE_NAMES);
const errorCounts = z.record(z.string(), count);

const latencySchema = z.object({
  count,
  minNs: ns,
  meanNs: ns,
  maxNs: ns,
  percentiles: z.record(z.string(), ns),
  /** HdrHistogram V2, compressed, base64. */
  histogram: z.string(),
});

const intervalLatencySchema = z.object({
  count,
  p50Ns: ns,
  p90Ns: ns,
  p99Ns: ns,
  maxNs: ns,
  histogram: z.string().optional(),
});

const intervalSchema = z.object({
  atSeconds: z.number(),
  seconds,
  due: count,
  completed: count,
  failed: count,
  payments: count,
  errors: errorCounts,
  phases: z.partialRecord(phase, intervalLatencySchema),
});

const capacityPointSchema = z.object({
  rate: z.number().positive(),
  passed: z.boolean(),
  rejected: z.boolean(),
  reachedRate: z.number().nonnegative(),
  p50Ns: ns,
  p99Ns: ns,
  errorShare: share,
  words: z.string(),
});

export const loadResultSchema = z.object({
  schema: z.literal(LOAD_RESULT_SCHEMA),
  version: z.literal(LOAD_RESULT_VERSION),
  product: z.string(),
  startedAt: z.iso.datetime(),
  environment: z.object({
    node: z.string(),
    platform: z.string(),
    cpu: z.string(),
    cores: count,
    memoryBytes: count,
  }),
  settings: z.object({
    target: z.string(),
    workload: z.string(),
    mode: z.enum(['open', 'closed']),
    arrivals: z.enum(['poisson', 'even']).nullable(),
    stages: z.array(z.object({ fromRate: z.number().nonnegative(), toRate: z.number().nonnegative(), seconds })),
    customersAtOnce: count.nullable(),
    customers: count,
    warmupSeconds: seconds,
    operationsMax: count.nullable(),
    seed: z.number().int(),
    threads: count,
    inFlightMax: count,
    sources: z.array(z.string()),
  }),
  /** The measured time: without warm-up; until the last operation ended. */
  seconds,
  interrupted: z.boolean(),
  due: count,
  started: count,
  completed: count,
  failed: count,
  payments: count,
  errors: errorCounts,
  /** Per second of the measured time. */
  rate: z.object({
    offered: z.number().nonnegative(),
    reached: z.number().nonnegative(),
    payments: z.number().nonnegative(),
  }),
  phases: z.partialRecord(phase, latencySchema),
  intervals: z.array(intervalSchema),
  generator: z.object({
    threads: z.array(z.object({ eventLoopUtilization: share, cpu: z.number().nonnegative(), loopDelayP99Ns: ns })),
    cpuSecondsPerOperation: z.number().nonnegative().nullable(),
  }),
  rejections: z.array(z.object({ code: z.string(), words: z.string() })),
  thresholds: z.array(
    z.object({ text: z.string(), passed: z.boolean(), observed: z.number().nullable(), words: z.string() }),
  ),
  verification: z
    .object({ acknowledged: count, found: count, ledgerVerified: z.boolean(), words: z.string() })
    .nullable(),
  capacity: z
    .object({ end: z.string(), rate: z.number().nonnegative(), curve: z.array(capacityPointSchema) })
    .nullable(),
});

export type LoadResult = z.infer<typeof loadResultSchema>;

/** Reads a stored result. Throws BAD_FILE that names the first field which is not right. */
export function readLoadResult(value: unknown, name: string): LoadResult {
  const read = loadResultSchema.safeParse(value);
  if (read.success) return read.data;
  const version = z.object({ version: z.number() }).safeParse(value);
  if (version.success && version.data.version > LOAD_RESULT_VERSION) {
    throw new SallyportError(
      'BAD_FILE',
      `${name} is a load result of version ${version.data.version}, and this program reads version ${LOAD_RESULT_VERSION}: use a newer one`,
    );
  }
  const issue = read.error.issues[0]!;
  throw new SallyportError(
    'BAD_FILE',
    `${name} is no load result: ${issue.path.join('.') || 'the document'}: ${issue.message}`,
  );
}

/** What of a load result is compared: rates and latencies, with its intervals as the samples. */
export function measuresOfLoad(result: LoadResult): Measure[] {
  // The warm-up is not measured, and the first and last intervals are cut by the run's ends.
  const whole = result.intervals.filter((interval) => interval.atSeconds >= 0);
  const intervals = whole.length > 4 ? whole.slice(1, -1) : whole;
  const base = { exact: false, inSeries: true } as const;
  const measures: Measure[] = [
    {
      ...base,
      name: 'rate reached',
      unit: '/s',
      better: 'higher',
      statistic: 'mean',
      value: result.rate.reached,
      samples: intervals.map((interval) => interval.completed / interval.seconds),
    },
  ];
  for (const name of PHASE_NAMES) {
    const latency = result.phases[name];
    if (latency === undefined || latency.count === 0 || name === 'lag') continue;
    for (const [percentile, key] of [
      ['p50', 'p50Ns'],
      ['p90', 'p90Ns'],
      ['p99', 'p99Ns'],
    ] as const) {
      measures.push({
        ...base,
        name: `${titleOf(name)} ${percentile}`,
        unit: 'ms',
        better: 'lower',
        statistic: 'median',
        value: latency.percentiles[percentile]! / 1e6,
        samples: intervals.flatMap((interval) => {
          const reading = interval.phases[name]?.[key];
          return reading === undefined ? [] : [reading / 1e6];
        }),
      });
    }
  }
  const total = result.completed + result.failed;
  measures.push({
    ...base,
    name: 'errors',
    unit: '%',
    better: 'lower',
    statistic: 'mean',
    value: total === 0 ? 0 : (100 * result.failed) / total,
    samples: intervals.map((interval) => (100 * interval.failed) / Math.max(1, interval.completed + interval.failed)),
  });
  return measures;
}
