/** The stored result of a benchmark run (`npm run bench:ci`): schema and version. docs/BENCHMARKS.md describes every field. */

import { z } from 'zod';
import { SallyportError } from '../errors.ts';
import type { Measure } from './measure.ts';

export const BENCH_RESULT_SCHEMA = 'sallyport/bench-result';
export const BENCH_RESULT_VERSION = 1;

const positive = z.number().positive();

const ratioSchema = z.object({
  kind: z.literal('ratio'),
  name: z.string().min(1).max(100),
  /** What one iteration does. */
  what: z.string(),
  reference: z.string(),
  /** Time of the subject over time of the reference, one value a round. */
  samples: z.array(positive).min(1),
  median: positive,
  /** 95 % interval of the median. */
  low: positive,
  high: positive,
  /** Times of one iteration, medians over the rounds. */
  subjectNs: positive,
  referenceNs: positive,
  iterations: z.number().int().positive(),
  /** The same runner with the reference on both sides: the largest relative difference that is only noise. */
  noiseFloor: z.number().nonnegative(),
});

const countSchema = z.object({
  kind: z.literal('count'),
  name: z.string().min(1).max(100),
  what: z.string(),
  unit: z.string().min(1),
  value: z.number().nonnegative(),
});

const gateSchema = z.object({
  name: z.string(),
  passed: z.boolean(),
  words: z.string(),
});

export const benchResultSchema = z.object({
  schema: z.literal(BENCH_RESULT_SCHEMA),
  version: z.literal(BENCH_RESULT_VERSION),
  product: z.string(),
  commit: z.string().nullable(),
  measuredAt: z.iso.datetime(),
  environment: z.object({
    node: z.string(),
    platform: z.string(),
    cpu: z.string(),
    cores: z.number().int().positive(),
  }),
  benches: z.array(z.discriminatedUnion('kind', [ratioSchema, countSchema])).min(1),
  gates: z.array(gateSchema),
});

export type BenchResult = z.infer<typeof benchResultSchema>;
export type BenchEntry = BenchResult['benches'][number];
export type RatioEntry = z.infer<typeof ratioSchema>;
export type CountEntry = z.infer<typeof countSchema>;
export type GateEntry = z.infer<typeof gateSchema>;

/** Reads a stored result. Throws BAD_FILE that names the first field which is not right. */
export function readBenchResult(value: unknown, name: string): BenchResult {
  const read = benchResultSchema.safeParse(value);
  if (read.success) return read.data;
  const issue = read.error.issues[0]!;
  throw new SallyportError(
    'BAD_FILE',
    `${name} is no benchmark result: ${issue.path.join('.') || 'the document'}: ${issue.message}`,
  );
}

export function measuresOfBench(result: Pick<BenchResult, 'benches'>): Measure[] {
  return result.benches.map((bench) =>
    bench.kind === 'ratio'
      ? {
          name: bench.name,
          unit: `x ${bench.reference}`,
          better: 'lower',
          statistic: 'median',
          value: bench.median,
          samples: bench.samples,
          exact: false,
          inSeries: false,
        }
      : {
          name: bench.name,
          unit: bench.unit,
          better: 'lower',
          statistic: 'median',
          value: bench.value,
          samples: [],
          exact: true,
          inSeries: false,
        },
  );
}
